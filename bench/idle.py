"""Memory of each of 5,000 idle connections to one process: the fast socket engine against the stock one.

50 users with 100 connections each, opened some dozens at a time. The memory is the resident set (VmRSS), after a while
without traffic. The sides alternate, each with a restarted server.
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
"""Connections of each user."""
SETTLING_SECONDS = 5.0
SIDES = {"fast": "fast", "stock": "stock"}


def run() -> Sequence[Figure]:
    """Measure both sides alternately."""
    _, hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard_limit, hard_limit))  # The server and the load inherit it.
    names = "for a connection", "all, before", "all, after", "time to connect"
    rounds: dict[str, list[tuple[float, ...]]] = {side: [] for side in SIDES}
    with installation(**UNLIMITED) as target:
        cookies = [person.cookie for person in target.add_people(PEOPLE)] * CONNECTIONS
        for _ in range(ROUNDS):
            for side, engine in SIDES.items():
                target.restart(CHATAPP_SOCKET_ENGINE=engine)
                rounds[side].append(_measure(target, cookies))
    return [
        Figure.of(name, unit, *((side, [figures[number] for figures in values]) for side, values in rounds.items()))
        for number, (name, unit) in enumerate(zip(names, ("KB", "MB", "MB", "s"), strict=True))
    ]


def _measure(target: Installation, cookies: Sequence[str]) -> tuple[float, float, float, float]:
    with listening(target.url, cookies[:PEOPLE], None):
        pass  # Memory that is allocated once, at the first connections, is not counted.
    time.sleep(SETTLING_SECONDS)
    before = target.memory()
    with listening(target.url, cookies, None) as crowd:
        time.sleep(SETTLING_SECONDS)
        after = target.memory()
        report = crowd.finish(0)
    assert not report.problems, report.problems[:5]
    return (after - before) * 1024 / len(cookies), before, after, crowd.seconds
