"""Streams of connections that raise when a client keeps the server waiting for too long."""

import itertools
import socket
import time
from collections.abc import Iterator
from io import BufferedReader

import pytest

from chatapp.http_server.streams import LINGER_SECONDS, MAX_DISCARDED_BYTES, Budget, TimedStream

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


def test_a_limited_budget_is_not_refilled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 0.0)
    budget = Budget()
    budget.set(20, bytes_per_second=500)
    budget.limit(5, 1_000_000)
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


def read_on(stream: TimedStream, client: socket.socket) -> Iterator[int]:
    """Read steadily from a client that never stops sending."""
    while True:
        client.sendall(b"x" * 10_000)
        yield stream.readinto(bytearray(10_000))


def test_only_so_much_of_a_body_is_discarded(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    stream, client = pair
    monkeypatch.setattr(time, "monotonic", lambda: 0.0)
    stream.begin_body()
    body = read_on(stream, client)
    assert sum(itertools.islice(body, 1_000)) > MAX_DISCARDED_BYTES
    stream.begin_discard()
    discarded: list[int] = []
    with pytest.raises(TimeoutError):
        discarded.extend(body)
    assert MAX_DISCARDED_BYTES <= sum(discarded) < MAX_DISCARDED_BYTES + 10_000


def test_a_body_is_discarded_for_a_limited_time_even_if_no_byte_is_waited_for(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream, client = pair
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    stream.begin_body()
    stream.begin_discard()
    body = read_on(stream, client)
    assert next(body)
    now = LINGER_SECONDS + 1
    with pytest.raises(TimeoutError):
        next(body)
    stream.begin_request(30)
    assert next(read_on(stream, client))
