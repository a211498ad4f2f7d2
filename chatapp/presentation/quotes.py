"""Messages in one line, as quotes, notifications and lists show them."""

from collections.abc import Sequence
from functools import lru_cache

from chatapp.files.attached import describe_files
from chatapp.markdown.syntax import may_be_markdown
from chatapp.timeline import TimelineMessage
from chatapp.timeline.content import ACTION

MAX_QUOTE_CHARS = 280

QUOTE_SECONDS = 0.02
"""Processor time in which the beginning of a message is parsed. Ordinary text needs a twentieth of it."""

SPOILER_SECONDS = 0.2
"""Processor time in which a message with spoilers is parsed. Otherwise nothing of it is shown."""

SPOILER = "(spoiler)"

PARSED_CHARS = 1_000
"""The beginning of a message from which a quote is made. Blanks and markup are not quoted."""

MAX_PARSED_EXCERPT_CHARS = 4_000
"""Excerpts of longer messages are made of the text with its markup."""

CACHED_QUOTES = 500


def quote_message(message: TimelineMessage) -> str:
    """Return a message in one line: its content, shortened, and its files."""
    text = shorten_quote(message.content)
    if not message.files:
        return text
    files = describe_files(message.files)
    return f"{text} · {files}" if text else files


def shorten_quote(content: str) -> str:
    """Return a message's content in one line of limited length, without markup and without spoilers."""
    return _shorten(content[:PARSED_CHARS].removeprefix(ACTION))


def hide_spoilers(content: str) -> str:
    """Return a message's content with “(spoiler)” for each spoiler, and then without markup, as it is read."""
    if "||" not in content:
        return content
    from chatapp.markdown.rendering import extract_text  # The first text with markup imports the parser.

    text = extract_text(content, SPOILER_SECONDS)
    return SPOILER if text is None else text


def list_words(message: TimelineMessage) -> str:
    """Return what a message is found by: its content, without spoilers, and the names of its files."""
    return _add_file_names(hide_spoilers(message.content), message)


def list_excerpt_texts(message: TimelineMessage) -> Sequence[str]:
    """Return the texts of which an excerpt of a message can be made: without markup, and then as it is written.

    The latter has more words, such as those of URLs.
    """
    written = list_words(message)
    text = _read(message.content.removeprefix(ACTION)) if len(message.content) <= MAX_PARSED_EXCERPT_CHARS else None
    return [written] if text is None else [_add_file_names(text, message), written]


def _add_file_names(text: str, message: TimelineMessage) -> str:
    return " · ".join(filter(None, (text.strip(), *(file.name for file in message.files))))


@lru_cache(CACHED_QUOTES)
def _read(content: str) -> str | None:
    if not may_be_markdown(content):
        return content
    from chatapp.markdown.rendering import extract_text  # The first text with markup imports the parser.

    return extract_text(content, QUOTE_SECONDS)


@lru_cache(CACHED_QUOTES)
def _shorten(start: str) -> str:
    if may_be_markdown(start):
        from chatapp.markdown.rendering import extract_text  # The first text with markup imports the parser.

        start = extract_text(start, QUOTE_SECONDS) or start
    text = " ".join(start.split())
    return text if len(text) <= MAX_QUOTE_CHARS else text[: MAX_QUOTE_CHARS - 1] + "…"
