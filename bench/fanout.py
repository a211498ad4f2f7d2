"""Deliveries a second in one room of 500: our edge of Socket.IO, with and without joining, against the libraries' own.

Five people keep ten messages each on their way. Every listener has to hear every message once and in order, and the
time runs until the last one has. The sides are one installation that is started again with other settings; they take
turns. The server has one core, the load the other one.
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
"""Messages that each of the senders has on their way."""
SECONDS = 4.0
SIDES = {
    "ours": {"CHATAPP_SOCKET_ENGINE": "fast", "CHATAPP_SOCKET_COALESCING": "true"},
    "without joining": {"CHATAPP_SOCKET_ENGINE": "fast", "CHATAPP_SOCKET_COALESCING": "false"},
    "the stock path": {"CHATAPP_SOCKET_ENGINE": "stock"},
}


def run() -> Sequence[Figure]:
    """Measure the sides in turn."""
    rates: dict[str, list[float]] = {side: [] for side in SIDES}
    with installation(**UNLIMITED) as place:
        people = place.add_people(LISTENERS + SENDERS)
        for number in range(ROUNDS):
            for side, settings in SIDES.items():
                place.restart(**settings)
                room = place.create_room(f"Fan-out {number} {side}")
                place.admit(room, people)
                rates[side].append(asyncio.run(_talk(place, room, people)))
    ours, not_joined, stock = rates.items()
    return [
        Figure.of("deliveries", "1/s", ours, stock),
        Figure.of("deliveries, not joined", "1/s", not_joined, stock),
    ]


async def _talk(place: Installation, room: str, people: Sequence[Person]) -> float:
    senders, listeners = people[:SENDERS], people[SENDERS:]
    with listening(place.url, [person.cookie for person in listeners], room) as crowd:
        sockets = [await LoadSocket.connect(place.url, person.cookie) for person in senders]
        for socket in sockets:
            assert (await socket.call("join_chat", {"conversation": room}))["ok"]
        os.sched_setaffinity(0, {LOAD_CORE})
        await asyncio.sleep(2)  # Who has come is told once a second.

        start = time.monotonic()
        seqs: list[int] = []
        await asyncio.gather(*(_send(socket, room, start + SECONDS, seqs) for socket in sockets * IN_FLIGHT))
        assert sorted(seqs) == list(range(1, len(seqs) + 1)), "the acknowledgements do not count up"
        report = await asyncio.to_thread(crowd.finish, len(seqs))
        for socket in sockets:
            socket.close()
    assert not report.problems, report.problems[:5]
    return report.heard / (report.last - start)


async def _send(socket: LoadSocket, room: str, end: float, seqs: list[int]) -> None:
    while time.monotonic() < end:
        content = "A sentence of about sixty characters, as people write them."
        answer = await socket.call(
            "send_message", {"conversation": room, "content": content, "client_id": str(uuid.uuid4())}
        )
        assert answer["ok"], answer
        seqs.append(answer["message"]["seq"])
