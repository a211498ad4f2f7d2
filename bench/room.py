"""People who chat, and how long what they say takes to each of the others."""

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
    """A conversation in which everybody says something again and again."""

    def __init__(self, conversation: str, pause: float, content: str) -> None:
        self.conversation = conversation
        self.said: list[str] = []
        """The client ids of the messages that were acknowledged."""
        self._pause = pause
        self._content = content
        self._people: list[LoadSocket] = []
        self._sent: dict[str, float] = {}
        self._latencies: list[float] = []

    @classmethod
    async def open(
        cls,
        place: Installation,
        people: Sequence[Person],
        *,
        conversation: str = "general",
        pause: float = 2.0,
        content: str = SENTENCE,
    ) -> "Room":
        """Let people in. `pause` is how many seconds each of them waits between two messages."""
        room = cls(conversation, pause, content)
        for person in people:
            socket = await LoadSocket.connect(place.url, person.cookie, room._hear)
            assert (await socket.call("join_chat", {"conversation": conversation}))["ok"]
            room._people.append(socket)
        return room

    async def chat(self, seconds: float) -> list[float]:
        """Let everybody talk for a while; give the latencies in milliseconds."""
        self._latencies.clear()
        end = time.monotonic() + seconds
        count = len(self._people)
        await asyncio.gather(*(self._talk(each, self._pause * n / count, end) for n, each in enumerate(self._people)))
        return list(self._latencies)

    async def _talk(self, socket: LoadSocket, delay: float, end: float) -> None:
        await asyncio.sleep(delay)
        while time.monotonic() < end:
            message = make_message(self.conversation, self._content)
            self._sent[message["client_id"]] = time.perf_counter()
            answer = await socket.call("send_message", message)
            assert answer["ok"], answer
            self.said.append(message["client_id"])
            await asyncio.sleep(self._pause)

    def _hear(self, event: str, payload: Any) -> None:
        if event == "chat_message" and payload["client_id"] in self._sent:
            self._latencies.append((time.perf_counter() - self._sent[payload["client_id"]]) * 1000)


def make_message(conversation: str, content: str) -> dict[str, str]:
    """Give what `send_message` carries."""
    return {"conversation": conversation, "content": content, "client_id": str(uuid.uuid4())}


def p99(values: Sequence[float]) -> float:
    """Give what one in a hundred is above of."""
    return statistics.quantiles(values, n=100)[98]
