"""The messages that benchmarks send."""

import uuid
from collections.abc import Callable
from typing import Any

from bench.sockets import LoadSocket

Content = Callable[[str], str]
"""Makes the content of a message from its client id."""


def plain(_client_id: str) -> str:
    """Return a text without Markdown."""
    return "A sentence of about sixty characters, as people write them."


def formatted(client_id: str) -> str:
    """Return a text with Markdown that no message had before, so that it is rendered."""
    return f"**Release** `{client_id[:8]}` is out, see [the notes](https://example.com/{client_id[:8]}): :tada:"


async def post(socket: LoadSocket, room: str, content: Content = plain) -> dict[str, Any]:
    """Send a message, and return it as it is acknowledged."""
    client_id = str(uuid.uuid4())
    payload = {"conversation": room, "content": content(client_id), "client_id": client_id}
    ack = await socket.call("send_message", payload)
    assert ack["ok"], ack
    message: dict[str, Any] = ack["message"]
    return message
