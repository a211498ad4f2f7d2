"""Clients that do not read: 100 of them in a room of 20 who talk a lot, against the same room without them.

They answer pings, so nothing but what waits for them gives them away. The room talks until all of them are cut off.
Then each reads what was still on its way, comes back and asks for what it has missed: everything that was said is to be
there, once. The sides take turns on one server, which has one core, and the load the other one.
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
from tests.harness.hostile import RawSocket
from tests.harness.people import Person

ROUNDS = 3
PEOPLE = 20
SLOW = 100
SECONDS = 10.0
PATIENCE = 60.0
"""Seconds within which everybody who does not read has to be cut off."""
PONGS = 10.0
"""Seconds between two answers to pings that nobody has read."""
CONTENT = "A long message. " * 600


def run() -> Sequence[Figure]:
    """Measure both sides in turn."""
    with installation() as place:
        beside, alone = asyncio.run(_measure(place))
    mine, theirs = f"beside {SLOW} who do not read", "without"
    return [
        Figure.of("latency, p99", "ms", (mine, beside.p99), (theirs, alone.p99)),
        Figure.of("latency, longest", "ms", (mine, beside.longest), (theirs, alone.longest)),
        Figure.of("memory, highest", "MB", (mine, beside.memory), (theirs, alone.memory)),
        Figure.of("cut off", "clients", ("cut off", beside.cut_off), ("that do not read", [SLOW])),
        Figure.of("lines in the log", "lines", ("lines", beside.lines), ("clients", [SLOW])),
        Figure.of("until all were cut off", "s", (mine, beside.seconds), ("patience", [PATIENCE])),
        Figure.of("came back and missed nothing", "clients", ("whole", beside.whole), ("that do not read", [SLOW])),
    ]


@dataclass
class Side:
    """What was measured on one side, a value for each round."""

    p99: list[float] = field(default_factory=list)
    longest: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    cut_off: list[float] = field(default_factory=list)
    lines: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)

    async def chat(self, place: Installation, room: Room, until_cut_off: int = 0) -> None:
        """Let the room talk, until so many connections were ended if that is asked for."""
        memory = [place.memory()]
        watching = asyncio.create_task(_watch(place, memory))
        start, ended = time.monotonic(), _count_ended(place)
        latencies = await room.chat(SECONDS)
        while _count_ended(place) - ended < until_cut_off and time.monotonic() - start < PATIENCE:
            latencies += await room.chat(2)
        watching.cancel()
        self.p99.append(p99(latencies))
        self.longest.append(max(latencies))
        self.memory.append(max(memory))
        self.lines.append(_count_ended(place) - ended)
        self.seconds.append(time.monotonic() - start)


async def _measure(place: Installation) -> tuple[Side, Side]:
    *people, slow = place.add_people(PEOPLE + 1)
    room = await Room.open(place, people, pause=1, content=CONTENT)
    os.sched_setaffinity(0, {LOAD_CORE})
    beside, alone = Side(), Side()
    await room.chat(2)
    for _ in range(ROUNDS):
        await alone.chat(place, room)
        said = len(room.said)
        readers = [SlowReader(place, slow, room.conversation, f"127.0.1.{n}") for n in range(SLOW)]
        answering = asyncio.create_task(_answer_pings(readers))
        await beside.chat(place, room, until_cut_off=SLOW)
        answering.cancel()
        beside.cut_off.append(sum(reader.read_the_rest() for reader in readers))
        whole = [await reader.come_back(place, slow) == sorted(room.said[said:]) for reader in readers]
        beside.whole.append(sum(whole))
    return beside, alone


class SlowReader:
    """Somebody who joins and then reads no more, until everything is over."""

    def __init__(self, place: Installation, person: Person, conversation: str, address: str) -> None:
        self._conversation = conversation
        self._socket = RawSocket.enter(place.url, person.cookie, address=address)
        answer = self._socket.ask("join_chat", {"conversation": conversation})
        self._cursor: int = answer["last_event"]
        self._heard: list[str] = []

    def answer_ping(self) -> None:
        """Say that one is there, without having read that one was asked."""
        self._socket.say("3")

    def read_the_rest(self) -> bool:
        """Read what came before the end, and tell whether there was one."""
        self._socket.patience(1)
        try:
            while True:
                packet = self._socket.receive()
                if packet.startswith(b'42["chat_message"'):
                    self._hear(json.loads(packet[2:])[1])
        except TimeoutError:
            return False
        except ConnectionError:
            return True
        finally:
            self._socket.close()

    async def come_back(self, place: Installation, person: Person) -> list[str]:
        """Ask for what was missed; give what was heard in all."""
        socket = await LoadSocket.connect(place.url, person.cookie)
        more = True
        while more:
            payload = {"conversation": self._conversation, "after": self._cursor}
            answer = await socket.call("join_chat", payload)
            assert answer["ok"], answer
            assert not answer["reset"], "the page is drawn anew: this proves nothing"
            for message in answer["messages"]:
                self._hear(message)
            self._cursor, more = answer["to"], answer["more"]
        socket.close()
        return sorted(self._heard)

    def _hear(self, message: dict[str, Any]) -> None:
        assert message["version"] > self._cursor, "something came twice"
        self._cursor = message["version"]
        self._heard.append(message["client_id"])


async def _answer_pings(readers: Sequence[SlowReader]) -> None:
    while True:
        await asyncio.sleep(PONGS)
        for reader in readers:
            reader.answer_ping()


async def _watch(place: Installation, memory: list[float]) -> None:
    while True:
        memory.append(place.memory())
        await asyncio.sleep(0.2)


def _count_ended(place: Installation) -> int:
    return place.log().count("connection ended")
