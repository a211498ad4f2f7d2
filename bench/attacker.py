"""Attacks: `python -m bench.attacker`, with a `Plan` as JSON on standard input; prints a `Toll` when it is over.

It is a process of its own, and gives way to the load on its core: how long that waits is to be the server's doing.
"""

import json
import os
import random
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, astuple, dataclass
from itertools import count

from tests.harness.fuzzing import PAYLOADS, Fuzzer
from tests.harness.hostile import BINARY, CONTINUATION, PING, NotAdmitted, RawSocket, frame

HURRY = 0.2
"""Seconds after which somebody who was refused is back: they were told to wait longer."""

FORGED = [
    '42["connect",{"user_id":1}]',
    '42["disconnect","transport close"]',
    '42["chat_message",{"conversation":"general","html":"<b>forged</b>"}]',
    '42["signed_out",{}]',
    '42["no_such_event",{}]',
    '42/admin,["typing",{}]',
]
FUZZ = "fuzzed packets"
FRAGMENTS = "1-byte fragments"
PINGS = "pings"


@dataclass
class Plan:
    """What to do, with whose sign-ins and from where."""

    attack: str
    url: str
    cookies: Sequence[str]
    addresses: Sequence[str]
    seconds: float
    threads: int = 4
    packets: int | None = None
    """When enough was said, if that is to be before `seconds` are over. Of fuzzed packets only."""
    events: int = 20
    """Well-formed events between two malformed ones, of fuzzed packets."""


@dataclass
class Toll:
    """What came of it."""

    opened: int = 0
    """Connections that the server has let in."""
    ended: int = 0
    """Those of them that it has ended."""
    refused: int = 0
    """Connections that it has not let in."""
    handled: int = 0
    """Fuzzed packets of which it is known that it has seen them."""
    silent: int = 0
    """Fuzzed events that it should have answered."""

    @classmethod
    def sum(cls, tolls: "Sequence[Toll]") -> "Toll":
        """Add up what came of several."""
        return cls(*(sum(column) for column in zip(*map(astuple, tolls), strict=True)))


def main() -> None:
    """Carry out a plan."""
    os.nice(10)
    plan = Plan(**json.loads(sys.stdin.readline()))
    toll = _fuzz(plan) if plan.attack == FUZZ else _attack(plan)
    print(json.dumps(asdict(toll)), flush=True)


def _large_frames(_chance: random.Random) -> bytes:
    return frame(b"4" * 900_000) * 3


def _fragments(_chance: random.Random) -> bytes:
    return frame("4", fin=False) + frame(b"2", opcode=CONTINUATION, fin=False) * 1_100


def _forged(chance: random.Random) -> bytes:
    bad = [frame(f'42{n}["{event}",{{"conversation":5}}]') for n, event in enumerate(PAYLOADS)]
    return b"".join(chance.sample(bad, 5)) + frame(chance.choice(FORGED)) * 100


def _attachments(_chance: random.Random) -> bytes:
    return frame('4510000000-["send_message",{}]') + frame(b"x" * 60_000, opcode=BINARY) * 20


def _pings(_chance: random.Random) -> bytes:
    return frame(b"x" * 125, opcode=PING) * 100_000


ATTACKS: dict[str, Callable[[random.Random], bytes]] = {
    "900 KB frames": _large_frames,
    FRAGMENTS: _fragments,
    "forged events": _forged,
    "10,000,000 attachments": _attachments,
    PINGS: _pings,
}
"""What each says in one connection, before it waits for the end and comes back."""


def _attack(plan: Plan) -> Toll:
    tolls = [Toll() for _ in range(plan.threads)]
    until = time.monotonic() + plan.seconds
    _run([threading.Thread(target=_come_back, args=(plan, n, until, toll)) for n, toll in enumerate(tolls)])
    return Toll.sum(tolls)


def _come_back(plan: Plan, number: int, until: float, toll: Toll) -> None:
    chance = random.Random(number)
    cookie, address = plan.cookies[number % len(plan.cookies)], plan.addresses[number % len(plan.addresses)]
    while (left := until - time.monotonic()) > 0:
        # Whoever is read slowly is still at it when the time is over; whoever is to be ended is given time for it.
        patience = left if plan.attack in {FRAGMENTS, PINGS} else 10
        try:
            with RawSocket.enter(plan.url, cookie, address=address, patience=patience) as connection:
                toll.opened += 1
                connection.send(ATTACKS[plan.attack](chance))
                toll.ended += connection.ends_within(patience)
        except NotAdmitted:
            toll.refused += 1
            time.sleep(HURRY)
        except (TimeoutError, ConnectionError):
            continue


def _fuzz(plan: Plan) -> Toll:
    fuzzers = [
        Fuzzer(
            plan.url,
            [plan.cookies[number % len(plan.cookies)]],
            seed,
            addresses=[plan.addresses[number % len(plan.addresses)]],
            events=plan.events,
        )
        for number, seed in zip(range(plan.threads), count(random.randrange(2**32)), strict=False)
    ]
    until = time.monotonic() + plan.seconds
    threads = [threading.Thread(target=fuzzer.run, args=(until,)) for fuzzer in fuzzers]
    if plan.packets is not None:
        threads.append(threading.Thread(target=_stop_at, args=(fuzzers, plan.packets, until)))
    _run(threads)
    return Toll.sum([Toll(each.opened, each.ended, each.refused, each.handled, len(each.silent)) for each in fuzzers])


def _stop_at(fuzzers: Sequence[Fuzzer], packets: int, until: float) -> None:
    while sum(fuzzer.handled for fuzzer in fuzzers) < packets and time.monotonic() < until:
        time.sleep(0.1)
    for fuzzer in fuzzers:
        fuzzer.stop()


def _run(threads: Sequence[threading.Thread]) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
