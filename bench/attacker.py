"""Attacks: `python -m bench.attacker` reads a `Plan` as JSON from standard input and prints an `Outcome` at the end.

It is a process of its own with a low priority, so that it does not slow down the load on the same core.
"""

import json
import os
import random
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, astuple, dataclass
from http import HTTPStatus
from itertools import count
from urllib.parse import urlsplit

import requests

from tests.harness.abuse import BINARY, CONTINUATION, PING, HandshakeRefused, RawSocket, frame
from tests.harness.fuzzing import PAYLOADS, Fuzzer
from tests.harness.html import find_csrf_token

RETRY_SECONDS = 0.2
"""Pause of an attacker that was refused: less than the server asks for."""

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
SLOW_HTTP = "slow HTTP"
ROOMS = "rooms"

HOLD_SECONDS = 2.0
"""Time after which silent connections are replaced by new ones."""

SLOW_CONNECTIONS = 100
"""Silent or slow connections that one thread of the attacker keeps open."""

SLOW_REQUESTS = (
    b"",
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ",
    b"POST /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 900000\r\n\r\nusername=",
)
"""Beginnings of requests that are never continued."""


@dataclass
class Plan:
    """The attack, with the cookies and the addresses that it uses."""

    attack: str
    url: str
    cookies: Sequence[str]
    addresses: Sequence[str]
    seconds: float
    threads: int = 4
    packets: int | None = None
    """Number of fuzzed packets after which the attack ends, if that is before `seconds` are over."""
    events: int = 20
    """Well-formed events between two malformed ones, in an attack with fuzzed packets."""


@dataclass
class Outcome:
    """The connections and packets of an attack."""

    opened: int = 0
    """Connections that the server accepted."""
    closed: int = 0
    """Accepted connections that the server closed."""
    refused: int = 0
    """Connections that the server refused."""
    handled: int = 0
    """Fuzzed packets that the server has certainly processed."""
    silent: int = 0
    """Fuzzed events that the server should have acknowledged and did not."""

    @classmethod
    def sum(cls, outcomes: "Sequence[Outcome]") -> "Outcome":
        """Return the sums of several outcomes."""
        return cls(*(sum(column) for column in zip(*map(astuple, outcomes), strict=True)))


def main() -> None:
    """Run an attack."""
    os.nice(10)
    plan = Plan(**json.loads(sys.stdin.readline()))
    outcome = _fuzz(plan) if plan.attack == FUZZ else _attack(plan, HTTP_ATTACKS.get(plan.attack, _reconnect_until))
    print(json.dumps(asdict(outcome)), flush=True)


def _large_frames(_rng: random.Random) -> bytes:
    return frame(b"4" * 900_000) * 3


def _fragments(_rng: random.Random) -> bytes:
    return frame("4", fin=False) + frame(b"2", opcode=CONTINUATION, fin=False) * 1_100


def _forged(rng: random.Random) -> bytes:
    bad = [frame(f'42{n}["{event}",{{"conversation":5}}]') for n, event in enumerate(PAYLOADS)]
    return b"".join(rng.sample(bad, 5)) + frame(rng.choice(FORGED)) * 100


def _attachments(_rng: random.Random) -> bytes:
    return frame('4510000000-["send_message",{}]') + frame(b"x" * 60_000, opcode=BINARY) * 20


def _pings(_rng: random.Random) -> bytes:
    return frame(b"x" * 125, opcode=PING) * 100_000


ATTACKS: dict[str, Callable[[random.Random], bytes]] = {
    "900 KB frames": _large_frames,
    FRAGMENTS: _fragments,
    "forged events": _forged,
    "10,000,000 attachments": _attachments,
    PINGS: _pings,
}
"""Data that each attack sends over one connection, before it waits for the end and reconnects."""


def _attack(plan: Plan, attack: "Attack") -> Outcome:
    outcomes = [Outcome() for _ in range(plan.threads)]
    until = time.monotonic() + plan.seconds
    _run([threading.Thread(target=attack, args=(plan, n, until, outcome)) for n, outcome in enumerate(outcomes)])
    return Outcome.sum(outcomes)


def _reconnect_until(plan: Plan, number: int, until: float, outcome: Outcome) -> None:
    rng = random.Random(number)
    cookie, address = plan.cookies[number % len(plan.cookies)], plan.addresses[number % len(plan.addresses)]
    while (left := until - time.monotonic()) > 0:
        # Attackers that are throttled continue until the time is over; the others are disconnected soon.
        timeout = left if plan.attack in {FRAGMENTS, PINGS} else 10
        try:
            with RawSocket.connect(plan.url, cookie, address=address, timeout=timeout) as connection:
                outcome.opened += 1
                connection.send(ATTACKS[plan.attack](rng))
                outcome.closed += connection.is_closed_within(timeout)
        except HandshakeRefused:
            outcome.refused += 1
            time.sleep(RETRY_SECONDS)
        except (TimeoutError, ConnectionError):
            continue


def _connect_slowly_until(plan: Plan, number: int, until: float, outcome: Outcome) -> None:
    """Keep many connections open that begin a request, and open others when the server closes them."""
    parts = urlsplit(plan.url)
    source = (plan.addresses[number % len(plan.addresses)], 0)
    with ExitStack() as stack:
        while time.monotonic() < until:
            for n in range(SLOW_CONNECTIONS):
                try:
                    connection = socket.create_connection((parts.hostname, parts.port), 10, source_address=source)
                    stack.enter_context(connection)
                    connection.sendall(SLOW_REQUESTS[n % len(SLOW_REQUESTS)])
                    outcome.opened += 1
                except OSError:
                    outcome.refused += 1
            time.sleep(HOLD_SECONDS)
            stack.close()


def _create_rooms_until(plan: Plan, number: int, until: float, outcome: Outcome) -> None:
    """Create private rooms as fast as the server responds."""
    http = requests.Session()
    http.headers["Cookie"] = plan.cookies[number % len(plan.cookies)]
    page = http.get(f"{plan.url}/rooms/new", timeout=10)
    form = {"name": "Spam", "topic": "", "visibility": "private", "csrf_token": find_csrf_token(page.text)}
    http.headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in page.cookies.items())
    while time.monotonic() < until:
        response = http.post(f"{plan.url}/rooms/new", form, timeout=10, allow_redirects=False)
        outcome.opened += response.is_redirect
        outcome.refused += response.status_code == HTTPStatus.TOO_MANY_REQUESTS


Attack = Callable[[Plan, int, float, Outcome], None]

HTTP_ATTACKS: dict[str, Attack] = {SLOW_HTTP: _connect_slowly_until, ROOMS: _create_rooms_until}
"""Attacks over plain HTTP: each runs in several threads."""


def _fuzz(plan: Plan) -> Outcome:
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
    return Outcome.sum(
        [
            Outcome(fuzzer.opened, fuzzer.closed, fuzzer.refused, fuzzer.handled, len(fuzzer.silent))
            for fuzzer in fuzzers
        ]
    )


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
