"""Export of a conversation as JSON and Markdown. PDF has a module of its own."""

import json
import re
from collections.abc import Iterable, Iterator

from chatapp.timeline import TimelineMessage

_MARKDOWN = re.compile(r"[\\`*_\[\]<>&#~|!]")
"""Characters with a meaning in the middle of a line of Markdown."""


def write_json(title: str, messages: Iterable[TimelineMessage]) -> Iterator[str]:
    """Yield the pieces of a JSON object with the title and all messages."""
    yield f'{{"title": {json.dumps(title, ensure_ascii=False)}, "messages": ['
    for index, message in enumerate(messages):
        exported = {
            "seq": message.seq,
            "role": message.sender_type,
            "name": sender_name(message),
            "username": message.sender and message.sender.username,
            "content": message.content,
            "timestamp": message.created_at.isoformat(),
            "state": message.answer_state,
        }
        yield (",\n" if index else "\n") + json.dumps(exported, ensure_ascii=False)
    yield "\n]}\n"


def write_markdown(title: str, messages: Iterable[TimelineMessage]) -> Iterator[str]:
    """Yield the pieces of a Markdown document.

    The content of messages may be Markdown. It is a block quote, so that no message can imitate the heading of another.
    """
    yield f"# {_escape_markdown(title)}\n"
    for message in messages:
        sender = _escape_markdown(describe_sender(message))
        # More characters than Markdown's own end a line for some programs.
        lines = message.content.splitlines() or [""]
        quote = "\n".join(f"> {line}" if line else ">" for line in lines)
        yield f"\n## {sender}, {message.created_at:%Y-%m-%d %H:%M} UTC\n\n{quote}\n"


def describe_sender(message: TimelineMessage) -> str:
    """Return the sender's name, and what nobody can choose: the username, or that it is a bot or an assistant."""
    if message.sender:
        return f"{message.sender.name} (@{message.sender.username})"
    if message.sender_type == "user":
        return sender_name(message)
    return f"{sender_name(message)} ({'assistant' if message.sender_type == 'assistant' else 'bot'})"


def _escape_markdown(line: str) -> str:
    return _MARKDOWN.sub(r"\\\g<0>", line)


def sender_name(message: TimelineMessage) -> str:
    """Return the sender's name as users see it."""
    return message.sender.name if message.sender else (message.sender_name or "Former member")
