"""Deliveries a second in one room of 500: the fast socket engine, with and without coalescing, against the stock one.

Five users have ten messages in flight each. Every listener must receive every message once and in order, and the time
ends when the last one has. With `--against COMMIT` the sides are this server and the one of that commit. They
alternate, with a new data folder each time. The server has one core, the load the other.
"""

import asyncio
import os
import time
from collections.abc import Mapping, Sequence

from bench.installation import LOAD_CORE, Installation
from bench.listeners import listening
from bench.messages import post
from bench.report import Figure
from bench.side import Side
from bench.sockets import LoadSocket
from tests.harness.checkout import checkout
from tests.harness.people import Person

ROUNDS = 3
LISTENERS = 500
SENDERS = 5
IN_FLIGHT = 10
"""Messages that each of the senders has in flight."""
SECONDS = 4.0
SIDES = {
    "fast": {"CHATAPP_SOCKET_ENGINE": "fast", "CHATAPP_SOCKET_COALESCING": "true"},
    "without coalescing": {"CHATAPP_SOCKET_ENGINE": "fast", "CHATAPP_SOCKET_COALESCING": "false"},
    "stock": {"CHATAPP_SOCKET_ENGINE": "stock"},
}


def run(against: str | None = None) -> Sequence[Figure]:
    """Measure the sides alternately; with `against`, this server and that of another commit."""
    if against is None:
        fast, uncoalesced, stock = _measure_all({name: Side(settings=settings) for name, settings in SIDES.items()})
        return [
            Figure.of("deliveries", "1/s", fast, stock),
            Figure.of("deliveries, not coalesced", "1/s", uncoalesced, stock),
        ]
    with checkout(against) as root:
        ours, theirs = _measure_all({"this server": Side(), against: Side(root)})
    return [Figure.of("deliveries", "1/s", ours, theirs)]


def _measure_all(sides: Mapping[str, Side]) -> Sequence[tuple[str, list[float]]]:
    """Return the deliveries a second of each side, a value for each round."""
    rates: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(ROUNDS):
        for name, side in sides.items():
            with side.installation() as target:
                people = target.add_people(LISTENERS + SENDERS)
                room = target.create_room("Fan-out")
                target.add_members(room, people)
                rates[name].append(asyncio.run(_measure(target, room, people)))
    return list(rates.items())


async def _measure(target: Installation, room: str, people: Sequence[Person]) -> float:
    senders, listeners = people[:SENDERS], people[SENDERS:]
    with listening(target.url, [person.cookie for person in listeners], room) as crowd:
        sockets = [await LoadSocket.connect(target.url, person.cookie) for person in senders]
        for socket in sockets:
            assert (await socket.call("join_chat", {"conversation": room}))["ok"]
        os.sched_setaffinity(0, {LOAD_CORE})
        await asyncio.sleep(2)  # Presence is broadcast once a second.

        start = time.monotonic()
        seqs: list[int] = []
        await asyncio.gather(*(_send(socket, room, start + SECONDS, seqs) for socket in sockets * IN_FLIGHT))
        assert sorted(seqs) == list(range(1, len(seqs) + 1)), "the acknowledged numbers are not consecutive"
        report = await asyncio.to_thread(crowd.finish, len(seqs))
        for socket in sockets:
            socket.close()
    assert not report.problems, report.problems[:5]
    return report.received / (report.last - start)


async def _send(socket: LoadSocket, room: str, end: float, seqs: list[int]) -> None:
    """Send messages one after the other until `end`, and append their numbers to `seqs`."""
    while time.monotonic() < end:
        message = await post(socket, room)
        seqs.append(message["seq"])
