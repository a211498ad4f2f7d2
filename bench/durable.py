"""Acknowledged messages a second: group commit against a commit for each message, or against another commit.

50 users in 50 rooms, each sends the next message when the last one is acknowledged; SQLite with `synchronous=FULL`.
The sides are the same server with CHATAPP_WRITE_BATCH 500 and 1; with `--against COMMIT`, this server and the one of
that commit in an environment of its own; with `--formatted`, messages with Markdown and plain ones. They alternate,
with a new data folder each time. The server has one core, the load the other.
"""

import asyncio
import os
import statistics
import time
from collections.abc import Sequence

from bench.installation import LOAD_CORE, Installation
from bench.messages import Content, formatted, post
from bench.report import Figure
from bench.side import Side
from bench.sockets import LoadSocket
from tests.harness.checkout import checkout

ROUNDS = 3
ROOMS = 50
SECONDS = 5.0
SINGLE_MESSAGES = 300
"""Messages of a single sender, before all send."""


def run(against: str | None = None) -> Sequence[Figure]:
    """Measure both sides alternately; with `against`, this server and that of another commit."""
    if against is None:
        batches = {"group commit": "500", "a commit for each": "1"}
        return _compare({name: Side(settings={"CHATAPP_WRITE_BATCH": batch}) for name, batch in batches.items()})
    with checkout(against) as root:
        return _compare({"this server": Side(), against: Side(root)})


def run_formatted() -> Sequence[Figure]:
    """Measure messages with Markdown and plain ones alternately."""
    return _compare({"formatted": Side(content=formatted), "plain": Side()})


def _compare(sides: dict[str, Side]) -> Sequence[Figure]:
    rates: dict[str, list[float]] = {name: [] for name in sides}
    medians: dict[str, list[float]] = {name: [] for name in sides}
    p99s: dict[str, list[float]] = {name: [] for name in sides}
    single_medians: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(ROUNDS):
        for name, side in sides.items():
            with side.installation() as target:
                single, all_latencies = asyncio.run(_measure(target, side.content))
            rates[name].append(len(all_latencies) / SECONDS)
            medians[name].append(statistics.median(all_latencies) * 1000)
            p99s[name].append(statistics.quantiles(all_latencies, n=100)[98] * 1000)
            single_medians[name].append(statistics.median(single) * 1000)
    subject, other = sides
    return [
        Figure.of(name, unit, (subject, values[subject]), (other, values[other]))
        for name, unit, values in (
            ("acknowledged", "1/s", rates),
            ("latency, median", "ms", medians),
            ("latency, p99", "ms", p99s),
            ("a single sender, median", "ms", single_medians),
        )
    ]


async def _measure(target: Installation, content: Content) -> tuple[list[float], list[float]]:
    """Return the latencies, in seconds, of a single sender and of all."""
    people = target.add_people(ROOMS)
    rooms = [person.create_room() for person in people]
    sockets = [await LoadSocket.connect(target.url, person.cookie) for person in people]
    for socket, room in zip(sockets, rooms, strict=True):
        assert (await socket.call("join_chat", {"conversation": room}))["ok"]
    os.sched_setaffinity(0, {LOAD_CORE})

    single = [await _send(sockets[0], rooms[0], content) for _ in range(SINGLE_MESSAGES)]
    end = time.monotonic() + SECONDS
    all_latencies: list[float] = []

    async def send_repeatedly(socket: LoadSocket, room: str) -> None:
        while time.monotonic() < end:
            all_latencies.append(await _send(socket, room, content))

    await asyncio.gather(*(send_repeatedly(socket, room) for socket, room in zip(sockets, rooms, strict=True)))
    for socket in sockets:
        socket.close()
    return single, all_latencies


async def _send(socket: LoadSocket, room: str, content: Content) -> float:
    start = time.perf_counter()
    await post(socket, room, content)
    return time.perf_counter() - start
