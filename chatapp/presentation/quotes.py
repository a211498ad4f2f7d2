"""Quotes of messages of other conversations: in the answers of assistants, and in messages that forward others.

They have other readers than the person who asked or forwards: users in the same conversation, and everybody once it has
a public link. Such a quote is therefore stored as a reference: a block quote that consists of a link to the message.
Each reader's page fetches what the link points to, with that reader's permissions.
"""

import re
from functools import lru_cache

from chatapp.conversations.refs import ConversationRef
from chatapp.markdown.syntax import may_be_markdown
from chatapp.timeline.content import ACTION

MAX_QUOTE_CHARS = 280

QUOTE_SECONDS = 0.02
"""Processor time in which the beginning of a message is parsed. Ordinary text needs a twentieth of it."""

PARSED_CHARS = 1_000
"""The beginning of a message from which a quote is made. Blanks and markup are not quoted."""

CACHED_QUOTES = 500

REFERENCE_TEXT = "Quoted message"

_FENCE = re.compile("```|~~~")


def message_path(conversation: str, seq: int) -> str:
    """Return the path of a message's permanent link, by the wire name of its conversation."""
    return f"/conversations/{conversation}/messages/{seq}"


def thread_path(conversation: str, root: int) -> str:
    """Return the path of the page of a thread, by the wire name of its conversation."""
    return f"/conversations/{conversation}/threads/{root}"


def make_reference(conversation: ConversationRef, seq: int) -> str:
    """Return the Markdown of a reference to a message."""
    return f"> [{REFERENCE_TEXT}]({message_path(conversation.wire_name, seq)})"


def compose_forward(comment: str, conversation: ConversationRef, seq: int) -> str:
    """Return the content of a message that forwards another one: a comment, which may be empty, and the reference."""
    reference = make_reference(conversation, seq)
    if not comment.strip():
        return reference
    # What follows a fence that is not closed is code.
    parts = (reference, comment) if _FENCE.search(comment) else (comment, reference)
    return "\n\n".join(parts)


def shorten_quote(content: str) -> str:
    """Return a message's content in one line of limited length, without markup and without spoilers."""
    return _shorten(content[:PARSED_CHARS].removeprefix(ACTION))


@lru_cache(CACHED_QUOTES)
def _shorten(start: str) -> str:
    if may_be_markdown(start):
        from chatapp.markdown.rendering import extract_text  # The first text with markup imports the parser.

        start = extract_text(start, QUOTE_SECONDS) or start
    text = " ".join(start.split())
    return text if len(text) <= MAX_QUOTE_CHARS else text[: MAX_QUOTE_CHARS - 1] + "…"
