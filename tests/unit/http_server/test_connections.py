"""Limits of open HTTP connections."""

from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

import pytest

from chatapp.config import Settings
from chatapp.http_server.connections import (
    MAX_DELAY_SECONDS,
    NEW_BURST_SECONDS,
    NEW_RATE_FACTOR,
    HttpConnection,
    HttpConnections,
)

ANA, BOB = "192.0.2.1", "192.0.2.2"

NewConnections = Callable[..., HttpConnections]


@pytest.fixture
def new_connections(tmp_path: Path) -> NewConnections:
    def create(**settings: int) -> HttpConnections:
        return HttpConnections(Settings(data_dir=tmp_path, **settings))  # type: ignore[arg-type]

    return create


class Client:
    """A client that is connected, until the server closes the connection."""

    def __init__(self, connections: HttpConnections, address: str) -> None:
        self.is_open = True
        connection = connections.open(address, self._shut_down)
        self.is_open = isinstance(connection, HttpConnection)
        self._connection = connection
        self._address = address

    @property
    def connection(self) -> HttpConnection:
        assert isinstance(self._connection, HttpConnection)
        return self._connection

    def _shut_down(self) -> None:
        self.is_open = False

    def request(self, login_token: str | None = None) -> HTTPStatus | None:
        """Send a request, and return the status of the refusal."""
        refusal = self.connection.begin_request(self._address, login_token)
        return None if refusal is None else refusal.status


def test_the_connection_that_has_waited_longest_is_closed_for_a_new_one(new_connections: NewConnections) -> None:
    connections = new_connections(max_connections=10, max_connections_per_address=0)
    silent = [Client(connections, ANA) for _ in range(10)]
    silent[0].connection.wait()  # It has just had a response.
    late = [Client(connections, BOB) for _ in range(3)]
    assert [client.is_open for client in silent] == [True, False, False, False, *[True] * 6]
    assert all(client.is_open for client in late)


def test_one_address_has_at_most_half_of_the_connections(new_connections: NewConnections) -> None:
    connections = new_connections(max_connections=10, max_connections_per_address=500)
    first = Client(connections, BOB)
    silent = [Client(connections, ANA) for _ in range(20)]
    assert first.is_open
    assert [client.is_open for client in silent] == [False] * 15 + [True] * 5
    assert [client.request() for client in silent[15:]] == [None] * 5
    assert Client(connections, ANA).request() == HTTPStatus.TOO_MANY_REQUESTS
    assert Client(connections, ANA).request("token") is None
    assert first.request() is None


def test_connections_above_the_rate_of_their_address_are_delayed_and_then_refused(
    new_connections: NewConnections,
) -> None:
    connections = new_connections(connections_per_second=1)
    rate = NEW_RATE_FACTOR
    burst, delayed = rate * NEW_BURST_SECONDS, int(rate * MAX_DELAY_SECONDS)
    opened = [Client(connections, ANA) for _ in range(burst + delayed + 10)]
    delays = [client.connection.delay for client in opened if client.is_open]
    assert delays == pytest.approx([*[0] * burst, *(number / rate for number in range(1, delayed + 1))], abs=0.5)
    assert not any(client.is_open for client in opened[burst + delayed + 1 :])
    assert Client(connections, BOB).connection.delay == 0


@pytest.mark.parametrize("settings", [{"connections_per_second": 0}, {"trusted_proxies": 1}])
def test_connections_are_not_delayed_without_a_rate_or_behind_a_proxy(
    new_connections: NewConnections, settings: dict[str, int]
) -> None:
    connections = new_connections(**settings)
    assert all(Client(connections, ANA).connection.delay == 0 for _ in range(500))


def test_an_ipv6_network_counts_as_one_address(new_connections: NewConnections) -> None:
    connections = new_connections(max_connections=100, max_connections_per_address=3)
    silent = [Client(connections, f"2001:db8::{number:x}") for number in range(9)]
    other = Client(connections, "2001:db8:0:1::1")
    assert [client.is_open for client in silent] == [False] * 6 + [True] * 3
    assert other.is_open


def test_a_part_of_the_connections_is_reserved_for_login_sessions(new_connections: NewConnections) -> None:
    connections = new_connections(max_connections=20, max_connections_per_address=0)
    visitors = [Client(connections, f"192.0.2.{number}") for number in range(19)]
    statuses = [client.request() for client in visitors]
    assert statuses == [None] * 18 + [HTTPStatus.SERVICE_UNAVAILABLE]
    assert Client(connections, BOB).request("bob") is None
    # The refused visitor's connection is closed for another login session.
    assert Client(connections, BOB).request("bob") is None
    assert not visitors[18].is_open
    assert not Client(connections, BOB).is_open, "all are in use by requests in progress"
    visitors[0].connection.close()
    assert Client(connections, BOB).request("bob") is None


def test_a_login_session_has_a_limited_number_of_requests_and_sockets(new_connections: NewConnections) -> None:
    connections = new_connections(max_connections_per_login=3)
    clients = [Client(connections, ANA) for _ in range(4)]
    assert [client.request("ana") for client in clients] == [None, None, None, HTTPStatus.TOO_MANY_REQUESTS]
    assert clients[3].request("another") is None
    clients[0].connection.wait()
    assert clients[0].request("ana") is None


def test_a_request_counts_as_a_visitors_until_its_login_is_confirmed(new_connections: NewConnections) -> None:
    connections = new_connections(max_connections_per_address=2)
    first, second, third = (Client(connections, ANA) for _ in range(3))
    assert [client.request() for client in (first, second, third)] == [None, None, HTTPStatus.TOO_MANY_REQUESTS]
    first.connection.confirm_login(first.connection.request_count, "ana")
    assert third.request() is None
    # The request is over: another one is in progress on its connection, or none.
    number = second.connection.request_count
    second.connection.wait()
    second.connection.confirm_login(number, "ana")
    assert second.request() is None
    second.connection.confirm_login(number, "ana")
    assert Client(connections, ANA).request() == HTTPStatus.TOO_MANY_REQUESTS
    second.connection.close()
    second.connection.confirm_login(second.connection.request_count, "ana")
    assert Client(connections, ANA).request() is None


def test_behind_a_proxy_only_requests_are_limited_by_the_address_of_the_client(new_connections: NewConnections) -> None:
    connections = new_connections(max_connections=100, max_connections_per_address=2, trusted_proxies=1)
    from_proxy = [Client(connections, "127.0.0.1") for _ in range(50)]
    assert all(client.is_open for client in from_proxy)
    statuses = [
        client.connection.begin_request(f"192.0.2.{number % 3}", None) for number, client in enumerate(from_proxy[:9])
    ]
    assert [refusal is None for refusal in statuses] == [True] * 6 + [False] * 3


def test_a_detached_connection_counts_until_it_is_closed(new_connections: NewConnections) -> None:
    connections = new_connections(max_connections=10, max_connections_per_login=1)
    client, other = Client(connections, ANA), Client(connections, ANA)
    assert client.request("token") is None
    close = client.connection.detach()
    client.connection.shut_down()
    assert client.is_open, "the server no longer has its socket"
    assert other.request("token") is HTTPStatus.TOO_MANY_REQUESTS
    close()
    assert other.request("token") is None
    assert connections.count == 1
