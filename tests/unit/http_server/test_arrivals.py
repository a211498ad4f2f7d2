"""New connections, which are served at the rate of their address."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from chatapp.config import Settings
from chatapp.http_server.arrivals import Arrivals
from chatapp.http_server.connections import (
    MAX_DELAY_SECONDS,
    NEW_BURST_SECONDS,
    NEW_RATE_FACTOR,
    HttpConnection,
    HttpConnections,
)

ANA, BOB = ("192.0.2.1", 4000), ("192.0.2.2", 4000)

BURST = NEW_RATE_FACTOR * NEW_BURST_SECONDS
"""Connections of an address that are served at once, with one new socket per second."""

PER_ADDRESS = 8
"""Connections of an address that may wait at the same time."""

Connect = Callable[[tuple[str, int]], socket.socket]


class Clock:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def connections(tmp_path: Path) -> HttpConnections:
    return HttpConnections(Settings(data_dir=tmp_path, connections_per_second=1, max_connections=2 * PER_ADDRESS))


@pytest.fixture
def arrivals(connections: HttpConnections, clock: Clock) -> Arrivals:
    return Arrivals(connections, clock)


@pytest.fixture
def connect(arrivals: Arrivals) -> Iterator[Connect]:
    """Open a connection from an address, and return the client's end."""
    with ExitStack() as stack:

        def create(address: tuple[str, int]) -> socket.socket:
            client, accepted = socket.socketpair()
            stack.enter_context(client)
            stack.callback(accepted.close)
            client.settimeout(10)
            arrivals.add(accepted, address)
            return client

        yield create


def served(arrivals: Arrivals) -> list[HttpConnection]:
    """Return the connections that may be served now."""
    return [connection for _, connection in iter(arrivals.pop, None)]


def test_connections_within_the_rate_are_served_at_once(arrivals: Arrivals, connect: Connect) -> None:
    assert arrivals.pop() is None
    for address in (ANA, BOB):
        connect(address)
    assert arrivals.seconds_left == 0
    assert [connection.peer for connection in served(arrivals)] == [ANA[0], BOB[0]]
    assert arrivals.seconds_left is None


def test_connections_above_the_rate_of_their_address_wait_and_others_do_not(
    arrivals: Arrivals, connect: Connect, clock: Clock
) -> None:
    for address in [*[ANA] * (BURST + 1), BOB]:
        connect(address)
    assert [connection.peer for connection in served(arrivals)] == [*[ANA[0]] * BURST, BOB[0]]
    assert arrivals.seconds_left == pytest.approx(1 / NEW_RATE_FACTOR, abs=0.1)
    clock.seconds = 1
    assert [connection.peer for connection in served(arrivals)] == [ANA[0]]


def test_a_waiting_connection_that_is_closed_for_a_new_one_is_never_served(
    arrivals: Arrivals, connect: Connect, connections: HttpConnections, clock: Clock
) -> None:
    for _ in range(BURST):
        connect(ANA)
    assert all(connection.begin_request(ANA[0], "login") is None for connection in served(arrivals))
    waiting = [connect(ANA) for _ in range(PER_ADDRESS + 1)]
    assert waiting[0].recv(1) == b""
    assert connections.count == BURST + PER_ADDRESS
    clock.seconds = MAX_DELAY_SECONDS
    assert len(served(arrivals)) == PER_ADDRESS


def test_connections_that_would_wait_too_long_are_refused(arrivals: Arrivals, connect: Connect) -> None:
    clients = [connect(ANA) for _ in range(BURST + NEW_RATE_FACTOR * int(MAX_DELAY_SECONDS) + 5)]
    assert clients[-1].recv(100).startswith(b"HTTP/1.1 429 ")
