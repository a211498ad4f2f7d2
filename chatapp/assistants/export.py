"""A conversation as a file to keep: JSON or Markdown; see `pdf.py` for the third form."""

import json
from collections.abc import Iterable, Iterator

from chatapp.timeline import TimelineMessage


def write_json(title: str, messages: Iterable[TimelineMessage]) -> Iterator[str]:
    """Give the conversation as one JSON object, piece by piece."""
    yield f'{{"title": {json.dumps(title, ensure_ascii=False)}, "messages": ['
    for number, message in enumerate(messages):
        said = {
            "seq": message.seq,
            "role": message.sender_type,
            "name": name_sender(message),
            "content": message.content,
            "timestamp": message.created_at.isoformat(),
            "state": message.state,
        }
        yield (",\n" if number else "\n") + json.dumps(said, ensure_ascii=False)
    yield "\n]}\n"


def write_markdown(title: str, messages: Iterable[TimelineMessage]) -> Iterator[str]:
    """Give the conversation as Markdown, piece by piece. What was said stands there as it was written."""
    yield f"# {title}\n"
    for message in messages:
        yield f"\n## {name_sender(message)}, {message.created_at:%Y-%m-%d %H:%M} UTC\n\n{message.content}\n"


def name_sender(message: TimelineMessage) -> str:
    """Give the name under which people see who said it."""
    return message.sender.name if message.sender else (message.sender_name or "Former member")
