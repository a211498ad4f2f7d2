"""Clients that do not read: 100 of them in a room of 20 active users, against the same room without them.

They respond to pings, so the server detects them only by the frames that are queued for them. The room chats until all
of them are disconnected. Then each reads the data in transit, reconnects and catches up: it must have received every
message once. The sides alternate on one server, which has one core, and the load the other.
"""

import asyncio
import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.installation import LOAD_CORE, Installation, installation
from bench.report import Figure
from bench.room import Room, p99
from bench.sockets import LoadSocket
from tests.harness.abuse import RawSocket
from tests.harness.people import Person

ROUNDS = 3
PEOPLE = 20
SLOW_READERS = 100
SECONDS = 10.0
DISCONNECT_TIMEOUT_SECONDS = 60.0
"""Time within which all slow readers must be disconnected."""
PONG_SECONDS = 10.0
"""Interval at which slow readers send a pong, whether they have read a ping or not."""
CONTENT = "A long message. " * 600


def run() -> Sequence[Figure]:
    """Measure both sides alternately."""
    # The slow readers are connections of one person, whose rate of events would delay their catch-up by minutes.
    with installation(CHATAPP_EVENTS_PER_SECOND="0") as target:
        beside, alone = asyncio.run(_measure(target))
    subject, other = f"beside {SLOW_READERS} slow readers", "without"
    expected = "slow readers", [SLOW_READERS]
    return [
        Figure.of("latency, p99", "ms", (subject, beside.p99), (other, alone.p99)),
        Figure.of("latency, longest", "ms", (subject, beside.longest), (other, alone.longest)),
        Figure.of("memory, highest", "MB", (subject, beside.memory), (other, alone.memory)),
        Figure.of("disconnected", "clients", ("disconnected", beside.disconnected), expected),
        Figure.of("lines in the log", "lines", ("lines", beside.lines), expected),
        Figure.of(
            "until all were disconnected", "s", (subject, beside.seconds), ("limit", [DISCONNECT_TIMEOUT_SECONDS])
        ),
        Figure.of("reconnected without a gap", "clients", ("complete", beside.complete), expected),
    ]


@dataclass
class Side:
    """The measurements of one side, a value for each round."""

    p99: list[float] = field(default_factory=list)
    longest: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    disconnected: list[float] = field(default_factory=list)
    lines: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    complete: list[float] = field(default_factory=list)

    async def chat(self, target: Installation, room: Room, disconnects: int = 0) -> None:
        """Let the room chat for a while, and until there were so many disconnects."""
        memory = [target.memory()]
        sampling = asyncio.create_task(_sample_memory(target, memory))
        start, before = time.monotonic(), _count_disconnects(target)
        latencies = await room.chat(SECONDS)
        while (
            _count_disconnects(target) - before < disconnects and time.monotonic() - start < DISCONNECT_TIMEOUT_SECONDS
        ):
            latencies += await room.chat(2)
        sampling.cancel()
        self.p99.append(p99(latencies))
        self.longest.append(max(latencies))
        self.memory.append(max(memory))
        self.lines.append(_count_disconnects(target) - before)
        self.seconds.append(time.monotonic() - start)


async def _measure(target: Installation) -> tuple[Side, Side]:
    *people, slow_person = target.add_people(PEOPLE + 1)
    room = await Room.open(target, people, interval_seconds=1, content=CONTENT)
    os.sched_setaffinity(0, {LOAD_CORE})
    beside, alone = Side(), Side()
    await room.chat(2)
    for _ in range(ROUNDS):
        await alone.chat(target, room)
        first = len(room.acknowledged)
        readers = [SlowReader(target, slow_person, room.conversation, f"127.0.1.{n}") for n in range(SLOW_READERS)]
        ponging = asyncio.create_task(_send_pongs(readers))
        await beside.chat(target, room, disconnects=SLOW_READERS)
        ponging.cancel()
        beside.disconnected.append(sum(reader.read_rest() for reader in readers))
        expected = sorted(room.acknowledged[first:])
        beside.complete.append(sum([await reader.catch_up(target, slow_person) == expected for reader in readers]))
    return beside, alone


class SlowReader:
    """A client that joins and then reads nothing until the end."""

    def __init__(self, target: Installation, person: Person, conversation: str, address: str) -> None:
        self._conversation = conversation
        self._socket = RawSocket.connect(target.url, person.cookie, address=address)
        ack = self._socket.call("join_chat", {"conversation": conversation})
        self._cursor: int = ack["last_event"]
        self._received: list[str] = []

    def send_pong(self) -> None:
        """Send a pong without having read a ping."""
        self._socket.send_packets("3")

    def read_rest(self) -> bool:
        """Read what the server has sent, and return whether it has closed the connection."""
        self._socket.set_timeout(1)
        try:
            while True:
                packet = self._socket.receive()
                if packet.startswith(b'42["chat_message"'):
                    self._on_message(json.loads(packet[2:])[1])
        except TimeoutError:
            return False
        except ConnectionError:
            return True
        finally:
            self._socket.close()

    async def catch_up(self, target: Installation, person: Person) -> list[str]:
        """Fetch the missed messages; return the client ids of all messages that were received."""
        socket = await LoadSocket.connect(target.url, person.cookie)
        more = True
        while more:
            ack = await socket.call("join_chat", {"conversation": self._conversation, "after": self._cursor})
            assert ack["ok"], ack
            assert not ack["reset"], "the page is reset: this proves nothing"
            for message in ack["messages"]:
                self._on_message(message)
            self._cursor, more = ack["to"], ack["more"]
        socket.close()
        return sorted(self._received)

    def _on_message(self, message: dict[str, Any]) -> None:
        assert message["version"] > self._cursor, "an event was received twice"
        self._cursor = message["version"]
        self._received.append(message["client_id"])


async def _send_pongs(readers: Sequence[SlowReader]) -> None:
    while True:
        await asyncio.sleep(PONG_SECONDS)
        for reader in readers:
            reader.send_pong()


async def _sample_memory(target: Installation, memory: list[float]) -> None:
    while True:
        memory.append(target.memory())
        await asyncio.sleep(0.2)


def _count_disconnects(target: Installation) -> int:
    return target.log().count("connection closed by the server")
