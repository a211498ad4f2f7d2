"""References to messages of other conversations: in the answers of assistants, and in messages that forward others.

They have other readers than the person who asked or forwards: users in the same conversation, and everybody once it has
a public link. So no text of the message is stored, only a block quote that consists of a link to it. Each reader's page
fetches what the link points to, with that reader's permissions.
"""

import re
from urllib.parse import quote

from chatapp.conversations.refs import ConversationRef

REFERENCE_TEXT = "Quoted message"

_REFERENCE = re.compile(rf"> \[{REFERENCE_TEXT}\]\(/conversations/([a-z]+(?:_\d{{1,10}})?)/messages/(\d{{1,10}})\)")


def message_path(conversation: str, seq: int) -> str:
    """Return the path of a message's permanent link, by the wire name of its conversation."""
    return f"/conversations/{conversation}/messages/{seq}"


def thread_path(conversation: str, root: int) -> str:
    """Return the path of the page of a thread, by the wire name of its conversation."""
    return f"/conversations/{conversation}/threads/{root}"


def file_path(conversation: str, digest: str, name: str) -> str:
    """Return the path of a file of a message, by the wire name of the conversation."""
    return f"/conversations/{conversation}/files/{digest}/{quote(name, safe='')}"


def make_reference(conversation: ConversationRef, seq: int) -> str:
    """Return the Markdown of a reference to a message."""
    return f"> [{REFERENCE_TEXT}]({message_path(conversation.wire_name, seq)})"


def find_reference(text: str) -> tuple[str, int] | None:
    """Return the conversation and the `seq` of the message that a text refers to, if it consists of that alone."""
    found = _REFERENCE.fullmatch(text.strip())
    return None if found is None else (found[1], int(found[2]))
