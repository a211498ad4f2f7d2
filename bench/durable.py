"""Acknowledged messages a second: the group commit against one commit for each message, or against another commit's.

50 people in 50 rooms, each sends the next message when the last one is acknowledged; SQLite with `synchronous=FULL`.
The sides are the same server with CHATAPP_WRITE_BATCH 500 and 1 or, with `--against COMMIT`, this server and the one of
that commit in an environment of its own. They take turns, on a fresh data folder each time. The server has one core,
the load the other one.
"""

import asyncio
import os
import statistics
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.checkout import checkout
from bench.installation import LOAD_CORE, UNLIMITED, Installation, installation
from bench.report import Figure
from bench.sockets import LoadSocket
from tests.harness import ROOT

ROUNDS = 3
ROOMS = 50
SECONDS = 5.0
LONE = 300


@dataclass(frozen=True, slots=True)
class Side:
    """What is measured: the code in a folder, with settings."""

    root: Path = ROOT
    settings: dict[str, str] = field(default_factory=dict)


def run(against: str | None = None) -> Sequence[Figure]:
    """Measure both sides in turn; with `against`, this server and that of another commit."""
    if against is None:
        batches = {"group commit": "500", "a commit for each": "1"}
        return _compare({name: Side(settings={"CHATAPP_WRITE_BATCH": batch}) for name, batch in batches.items()})
    with checkout(against) as root:
        return _compare({"this server": Side(), against: Side(root)})


def _compare(sides: dict[str, Side]) -> Sequence[Figure]:
    rates: dict[str, list[float]] = {name: [] for name in sides}
    medians: dict[str, list[float]] = {name: [] for name in sides}
    tails: dict[str, list[float]] = {name: [] for name in sides}
    lone: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(ROUNDS):
        for name, side in sides.items():
            with installation(side.root, **UNLIMITED, **side.settings) as place:
                alone, many = asyncio.run(_talk(place))
            rates[name].append(len(many) / SECONDS)
            medians[name].append(statistics.median(many) * 1000)
            tails[name].append(statistics.quantiles(many, n=100)[98] * 1000)
            lone[name].append(statistics.median(alone) * 1000)
    ours, theirs = sides
    return [
        Figure.of(name, unit, (ours, values[ours]), (theirs, values[theirs]))
        for name, unit, values in (
            ("acknowledged", "1/s", rates),
            ("latency, median", "ms", medians),
            ("latency, p99", "ms", tails),
            ("a lone sender, median", "ms", lone),
        )
    ]


async def _talk(place: Installation) -> tuple[list[float], list[float]]:
    people = place.add_people(ROOMS)
    rooms = [person.create_room() for person in people]
    sockets = [await LoadSocket.connect(place.url, person.cookie) for person in people]
    for socket, room in zip(sockets, rooms, strict=True):
        assert (await socket.call("join_chat", {"conversation": room}))["ok"]
    os.sched_setaffinity(0, {LOAD_CORE})

    alone = [await _send(sockets[0], rooms[0]) for _ in range(LONE)]
    end = time.monotonic() + SECONDS
    many: list[float] = []

    async def send(socket: LoadSocket, room: str) -> None:
        while time.monotonic() < end:
            many.append(await _send(socket, room))

    await asyncio.gather(*(send(socket, room) for socket, room in zip(sockets, rooms, strict=True)))
    for socket in sockets:
        socket.close()
    return alone, many


async def _send(socket: LoadSocket, room: str) -> float:
    start = time.perf_counter()
    content = "A sentence of about sixty characters, as people write them."
    answer = await socket.call(
        "send_message", {"conversation": room, "content": content, "client_id": str(uuid.uuid4())}
    )
    assert answer["ok"], answer
    return time.perf_counter() - start
