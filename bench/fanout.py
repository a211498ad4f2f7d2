"""Deliveries a second in one room of 500: the fast socket engine, with and without coalescing, against the stock one.

Five users have ten messages in flight each. Every listener must receive every message once and in order, and the time
ends when the last one has. The sides are one installation that is restarted with other settings; they alternate. The
server has one core, the load the other.
"""

import asyncio
import os
import time
import uuid
from collections.abc import Sequence

from bench.installation import LOAD_CORE, UNLIMITED, Installation, installation
from bench.listeners import listening
from bench.report import Figure
from bench.sockets import LoadSocket
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


def run() -> Sequence[Figure]:
    """Measure the sides alternately."""
    rates: dict[str, list[float]] = {side: [] for side in SIDES}
    with installation(**UNLIMITED) as target:
        people = target.add_people(LISTENERS + SENDERS)
        for number in range(ROUNDS):
            for side, settings in SIDES.items():
                target.restart(**settings)
                room = target.create_room(f"Fan-out {number} {side}")
                target.add_members(room, people)
                rates[side].append(asyncio.run(_measure(target, room, people)))
    fast, uncoalesced, stock = rates.items()
    return [
        Figure.of("deliveries", "1/s", fast, stock),
        Figure.of("deliveries, not coalesced", "1/s", uncoalesced, stock),
    ]


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
        content = "A sentence of about sixty characters, as people write them."
        ack = await socket.call(
            "send_message", {"conversation": room, "content": content, "client_id": str(uuid.uuid4())}
        )
        assert ack["ok"], ack
        seqs.append(ack["message"]["seq"])
