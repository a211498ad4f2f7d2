"""Export of a conversation as JSON and Markdown. PDF has a module of its own."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from chatapp.timeline import TimelineMessage
from chatapp.timeline.metadata import Metadata
from chatapp.timeline.versions import EarlierVersion

_MARKDOWN = re.compile(r"[\\`*_\[\]<>&#~|!]")
"""Characters with a meaning in the middle of a line of Markdown."""


@dataclass(frozen=True, slots=True)
class TranscriptHeader:
    """What an export contains about the conversation itself. Category, tags and prompt are those of a session."""

    title: str
    metadata: Metadata | None = None
    category: str = ""
    tags: Sequence[str] = ()
    prompt: str = ""

    def describe(self) -> Iterator[str]:
        """Yield lines about category and tags, for readers."""
        if self.category:
            yield f"Category: {self.category}"
        if self.tags:
            yield f"Tags: {', '.join(self.tags)}"


def write_json(
    header: TranscriptHeader,
    messages: Iterable[TimelineMessage],
    iterate_versions: Callable[[TimelineMessage], Iterable[EarlierVersion]],
) -> Iterator[str]:
    """Yield the pieces of a JSON object with the fields of the header, and all messages.

    `iterate_versions` returns the earlier versions of an edited message.
    """
    yield json.dumps(asdict(header), ensure_ascii=False)[:-1] + ', "messages": ['
    for index, message in enumerate(messages):
        exported = {
            "seq": message.seq,
            "role": message.sender_type,
            "name": message.shown_name,
            "username": message.sender and message.sender.username,
            "content": message.content,
            "timestamp": message.created_at.isoformat(),
            "state": message.answer_state,
            "message_type": message.message_type,
            "metadata": message.metadata,
            "reply_to": message.reply_to,
            "edited_at": message.edited_at and message.edited_at.isoformat(),
            "files": [
                {"name": file.name, "type": file.media_type, "size": file.size, "alt": file.alt}
                for file in message.files
            ],
        }
        yield (",\n" if index else "\n") + json.dumps(exported, ensure_ascii=False)[:-1] + ', "versions": ['
        for position, version in enumerate(iterate_versions(message) if message.edited_at else ()):
            earlier = {"content": version.content, "timestamp": version.written_at.isoformat()}
            yield (", " if position else "") + json.dumps(earlier, ensure_ascii=False)
        yield "]}"
    yield "\n]}\n"


def write_markdown(
    header: TranscriptHeader,
    replies: Iterable[tuple[TimelineMessage, TimelineMessage | None]],
    iterate_versions: Callable[[TimelineMessage], Iterable[EarlierVersion]],
) -> Iterator[str]:
    """Yield the pieces of a Markdown document.

    `replies` has each message with the one that it quotes, or None if that was deleted.

    The content of messages may be Markdown. It is a block quote, so that no message can imitate the heading of another.
    Metadata is a block of code with one line. Below an edited message are its earlier versions, the oldest first: the
    answer that follows may be to one of them.
    """
    yield f"# {_escape_markdown(header.title)}\n"
    for line in header.describe():
        yield f"\n{_escape_markdown(line)}\n"
    yield _markdown_metadata(header.metadata)
    for message, original in replies:
        heading = _escape_markdown(f"{describe_sender(message)}, {describe_time(message)}")
        yield f"\n## {heading}\n"
        if message.quoted_seq is not None:
            yield f"\n{_escape_markdown(describe_original(original))}\n"
        if message.content or not message.files:
            yield f"\n{_quote(message.content)}\n"
        for line in list_file_lines(message):
            yield f"\n{_escape_markdown(line)}\n"
        yield _markdown_metadata(message.metadata)
        for version in iterate_versions(message) if message.edited_at else ():
            yield f"\nEarlier version, {_format_time(version.written_at)}:\n\n{_quote(version.content)}\n"


def describe_sender(message: TimelineMessage) -> str:
    """Return the sender's name, and what nobody can choose: the username, or that it is a bot or an assistant."""
    if message.sender:
        return f"{message.sender.name} (@{message.sender.username})"
    if message.sender_type == "user":
        return message.shown_name
    kind = "assistant" if message.sender_type == "assistant" else "bot"
    return f"{message.shown_name} ({kind}{', from a template' if message.is_from_template else ''})"


def describe_time(message: TimelineMessage) -> str:
    """Return the time of a message, whether it was edited since, and whether it is a notice."""
    edited = f" (edited {_format_time(message.edited_at)})" if message.edited_at else ""
    return _format_time(message.created_at) + edited + (" (notice)" if message.is_notice else "")


def list_file_lines(message: TimelineMessage) -> Sequence[str]:
    """Return a line about each file of a message. Exports do not contain the files."""
    return [f"File: {file.describe()}" for file in message.files]


def describe_original(original: TimelineMessage | None) -> str:
    """Return which message a reply quotes: by its sender and time, as the headings of messages name them."""
    if original is None:
        return "In reply to a deleted message"
    return f"In reply to {describe_sender(original)}, {_format_time(original.created_at)}"


def _format_time(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC"


def format_metadata(metadata: Metadata) -> str:
    """Return metadata as JSON in one line."""
    text = json.dumps(metadata, ensure_ascii=False)
    # JSON escapes those below a space only, and some programs know more characters that end a line.
    return "".join(character if character.isprintable() else json.dumps(character)[1:-1] for character in text)


def _quote(content: str) -> str:
    # More characters than Markdown's own end a line for some programs.
    return "\n".join(f"> {line}" if line else ">" for line in content.splitlines() or [""])


def _markdown_metadata(metadata: Metadata | None) -> str:
    return "" if metadata is None else f"\n```json\n{format_metadata(metadata)}\n```\n"


def _escape_markdown(line: str) -> str:
    return _MARKDOWN.sub(r"\\\g<0>", line)
