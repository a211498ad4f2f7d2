"""Users who chat, and the latency of their messages to each of the others."""

import asyncio
import statistics
import time
import uuid
from collections.abc import Sequence
from typing import Any

from bench.installation import Installation
from bench.sockets import LoadSocket
from tests.harness.people import Person

SENTENCE = "A sentence of about sixty characters, as people write them."


class Room:
    """A conversation in which every user sends a message at an interval."""

    def __init__(self, conversation: str, interval_seconds: float, content: str) -> None:
        self.conversation = conversation
        self.acknowledged: list[str] = []
        """The client ids of the messages that were acknowledged."""
        self._interval_seconds = interval_seconds
        self._content = content
        self._sockets: list[LoadSocket] = []
        self._sent_at: dict[str, float] = {}
        self._latencies_ms: list[float] = []

    @classmethod
    async def open(
        cls,
        target: Installation,
        people: Sequence[Person],
        *,
        conversation: str = "general",
        interval_seconds: float = 2.0,
        content: str = SENTENCE,
    ) -> "Room":
        """Connect users to a conversation."""
        room = cls(conversation, interval_seconds, content)
        stored = content.strip()
        for person in people:
            socket = await LoadSocket.connect(target.url, person.cookie, room._on_event, text=stored)
            assert (await socket.call("join_chat", {"conversation": conversation}))["ok"]
            room._sockets.append(socket)
        return room

    async def chat(self, seconds: float) -> list[float]:
        """Let all users send messages for a while; return the latencies in milliseconds."""
        self._latencies_ms.clear()
        end = time.monotonic() + seconds
        step = self._interval_seconds / len(self._sockets)
        await asyncio.gather(*(self._send(socket, step * n, end) for n, socket in enumerate(self._sockets)))
        return list(self._latencies_ms)

    async def _send(self, socket: LoadSocket, delay: float, end: float) -> None:
        await asyncio.sleep(delay)
        while time.monotonic() < end:
            message = make_message(self.conversation, self._content)
            self._sent_at[message["client_id"]] = time.perf_counter()
            ack = await socket.call("send_message", message)
            assert ack["ok"], ack
            self.acknowledged.append(message["client_id"])
            await asyncio.sleep(self._interval_seconds)

    def _on_event(self, event: str, payload: Any) -> None:
        if event == "chat_message" and payload["client_id"] in self._sent_at:
            self._latencies_ms.append((time.perf_counter() - self._sent_at[payload["client_id"]]) * 1000)


def make_message(conversation: str, content: str) -> dict[str, str]:
    """Return the payload of `send_message`."""
    return {"conversation": conversation, "content": content, "client_id": str(uuid.uuid4())}


def p99(values: Sequence[float]) -> float:
    """Return the 99th percentile."""
    return statistics.quantiles(values, n=100)[98]
