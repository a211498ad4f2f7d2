"""Messages in one line, as quotes, notifications and lists show them."""

from functools import lru_cache

from chatapp.markdown.syntax import may_be_markdown
from chatapp.timeline.content import ACTION

MAX_QUOTE_CHARS = 280

QUOTE_SECONDS = 0.02
"""Processor time in which the beginning of a message is parsed. Ordinary text needs a twentieth of it."""

PARSED_CHARS = 1_000
"""The beginning of a message from which a quote is made. Blanks and markup are not quoted."""

CACHED_QUOTES = 500


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
