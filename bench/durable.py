"""Acknowledged messages a second: the group commit against one commit for each message.

50 people in 50 rooms, each sends the next message when the last one is acknowledged; SQLite with `synchronous=FULL`.
The sides are the same server with CHATAPP_WRITE_BATCH 500 and 1; they take turns, on a fresh data folder each time. The
server has one core, the load the other one.
"""

import asyncio
import os
import statistics
import time
import uuid
from collections.abc import Sequence

from bench.installation import LOAD_CORE, Installation, installation
from bench.report import Figure
from bench.sockets import LoadSocket

ROUNDS = 3
ROOMS = 50
SECONDS = 5.0
LONE = 300
SIDES = {"group commit": "500", "a commit for each": "1"}


def run() -> Sequence[Figure]:
    """Measure both sides in turn."""
    rates: dict[str, list[float]] = {side: [] for side in SIDES}
    medians: dict[str, list[float]] = {side: [] for side in SIDES}
    tails: dict[str, list[float]] = {side: [] for side in SIDES}
    lone: dict[str, list[float]] = {side: [] for side in SIDES}
    for _ in range(ROUNDS):
        for side, batch in SIDES.items():
            with installation(CHATAPP_WRITE_BATCH=batch) as place:
                alone, many = asyncio.run(_talk(place))
            rates[side].append(len(many) / SECONDS)
            medians[side].append(statistics.median(many) * 1000)
            tails[side].append(statistics.quantiles(many, n=100)[98] * 1000)
            lone[side].append(statistics.median(alone) * 1000)
    ours, theirs = SIDES
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
