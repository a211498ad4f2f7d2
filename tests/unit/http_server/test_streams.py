"""Streams of connections that raise when a client keeps the server waiting for too long."""

import socket
from collections.abc import Iterator
from io import BufferedReader

import pytest

from chatapp.http_server.streams import Budget, TimedStream

Pair = tuple[TimedStream, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """A stream that waits a tenth of a second, and the client's socket."""
    server, client = socket.socketpair()
    with server, client:
        yield TimedStream(server, 0.1), client


def test_bytes_refill_a_budget_up_to_its_start() -> None:
    budget = Budget()
    budget.set(20, bytes_per_second=500)
    budget.spend(15, 0)
    assert budget.left == 5
    budget.spend(1, 1_000)
    assert budget.left == 6
    budget.spend(0, 1_000_000)
    assert budget.left == 20
    budget.spend(20, 0)
    with pytest.raises(TimeoutError):
        assert budget.left


def test_a_limited_budget_is_not_refilled() -> None:
    budget = Budget()
    budget.set(20, bytes_per_second=500)
    budget.limit(5)
    budget.spend(2, 100_000)
    assert budget.left == 3


def test_a_silent_client_is_waited_for_until_its_idle_time_ends(pair: Pair) -> None:
    stream, client = pair
    stream.begin_request(0.05)
    with pytest.raises(TimeoutError):
        stream.read(1)
    stream.begin_request(600)
    client.sendall(b"G")
    assert stream.read(1) == b"G"
    with pytest.raises(TimeoutError):
        stream.read(1)


def test_a_body_is_read_as_long_as_it_arrives(pair: Pair) -> None:
    stream, client = pair
    stream.begin_body()
    reader = BufferedReader(stream, 1)
    for _ in range(100):
        client.sendall(b"x" * 100)
        assert reader.read(100) == b"x" * 100
    with pytest.raises(TimeoutError):
        reader.read(1)
    with pytest.raises(TimeoutError):
        reader.read(1)


def test_a_client_that_does_not_read_its_response_is_waited_for_until_its_time_ends(pair: Pair) -> None:
    stream, _client = pair
    stream.begin_request(0.1)
    with pytest.raises(TimeoutError):
        sum(iter(lambda: stream.write(bytes(1_000_000)), 0))
