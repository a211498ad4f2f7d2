"""Export of a conversation as JSON and Markdown. PDF has a module of its own."""

import json
from collections.abc import Iterable, Iterator

from chatapp.timeline import TimelineMessage


def write_json(title: str, messages: Iterable[TimelineMessage]) -> Iterator[str]:
    """Yield the pieces of a JSON object with the title and all messages."""
    yield f'{{"title": {json.dumps(title, ensure_ascii=False)}, "messages": ['
    for index, message in enumerate(messages):
        exported = {
            "seq": message.seq,
            "role": message.sender_type,
            "name": sender_name(message),
            "content": message.content,
            "timestamp": message.created_at.isoformat(),
            "state": message.answer_state,
        }
        yield (",\n" if index else "\n") + json.dumps(exported, ensure_ascii=False)
    yield "\n]}\n"


def write_markdown(title: str, messages: Iterable[TimelineMessage]) -> Iterator[str]:
    """Yield the pieces of a Markdown document. The content of messages is not escaped: it may be Markdown."""
    yield f"# {title}\n"
    for message in messages:
        yield f"\n## {sender_name(message)}, {message.created_at:%Y-%m-%d %H:%M} UTC\n\n{message.content}\n"


def sender_name(message: TimelineMessage) -> str:
    """Return the sender's name as users see it."""
    return message.sender.name if message.sender else (message.sender_name or "Former member")
