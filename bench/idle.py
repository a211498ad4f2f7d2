"""Memory for each of 5,000 idle connections to one process: our edge of Socket.IO against the libraries' own.

50 people with 100 connections each, made some dozens at a time. The memory is what is resident (VmRSS), after a while
without anything going on. The sides take turns, each with a server started anew.
"""

import resource
import time
from collections.abc import Sequence

from bench.installation import UNLIMITED, Installation, installation
from bench.listeners import listening
from bench.report import Figure

ROUNDS = 3
PEOPLE = 50
CONNECTIONS = 100
"""Connections of each of the people."""
SETTLING = 5.0
SIDES = {"ours": "fast", "the stock path": "stock"}


def run() -> Sequence[Figure]:
    """Measure both sides in turn."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # The server and the load inherit it.
    names = "for a connection", "all, before", "all, after", "time to connect"
    rounds: dict[str, list[tuple[float, ...]]] = {side: [] for side in SIDES}
    with installation(**UNLIMITED) as place:
        cookies = [person.cookie for person in place.add_people(PEOPLE)] * CONNECTIONS
        for _ in range(ROUNDS):
            for side, engine in SIDES.items():
                place.restart(CHATAPP_SOCKET_ENGINE=engine)
                rounds[side].append(_measure(place, cookies))
    return [
        Figure.of(name, unit, *((side, [each[number] for each in values]) for side, values in rounds.items()))
        for number, (name, unit) in enumerate(zip(names, ("KB", "MB", "MB", "s"), strict=True))
    ]


def _measure(place: Installation, cookies: Sequence[str]) -> tuple[float, float, float, float]:
    with listening(place.url, cookies[:PEOPLE], None):
        pass  # What is made at the first connections belongs to none of them.
    time.sleep(SETTLING)
    before = place.memory()
    with listening(place.url, cookies, None) as crowd:
        time.sleep(SETTLING)
        after = place.memory()
        report = crowd.finish(0)
    assert not report.problems, report.problems[:5]
    return (after - before) * 1024 / len(cookies), before, after, crowd.seconds
