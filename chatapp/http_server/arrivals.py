"""New connections, which are served at the rate of their address.

A connection that has to wait costs a socket and an entry here: no thread, no buffers. A program opens more than a
thousand a second.
"""

import heapq
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Any, Protocol

from chatapp.http_server.connections import HttpConnection, HttpConnections, Refusal

PAUSE_SECONDS = 0.001
"""Time for which others run after a connection above the rate of its address has been accepted."""


class Listener(Protocol):
    """A listening socket."""

    def accept_within(self, seconds: float | None) -> tuple[Any, Any] | None:
        """Return the next connection and its address; None after about `seconds`, if given, or without a reason."""

    def wrap(self, client: Any) -> Any:
        """Return the accepted socket as one that blocks only its own thread."""


class Arrival:
    """A new connection."""

    def __init__(self, client: Any, address: Any) -> None:
        self.client = client
        self.address = address
        self.is_served = False
        """Whether it has a thread, which closes the socket."""

    def shut_down(self) -> None:
        """End the connection."""
        with suppress(OSError):
            self.client.shutdown(socket.SHUT_RDWR)
        if not self.is_served:
            self.client.close()


class Arrivals:
    """The new connections that wait until they may be served."""

    def __init__(self, connections: HttpConnections, clock: Callable[[], float] = time.monotonic) -> None:
        self._connections = connections
        self._clock = clock
        self._numbers = count()
        self._waiting: list[tuple[float, int, Arrival, HttpConnection]] = []
        """A heap, ordered by the time at which they may be served."""

    def add(self, client: Any, address: Any) -> bool:
        """Let a connection wait, or refuse it. Return whether it is within the rate of its address."""
        arrival = Arrival(client, address)
        connection = self._connections.open(address[0], arrival.shut_down)
        if isinstance(connection, Refusal):
            connection.send(client)
            client.close()
            return False
        due = self._clock() + connection.delay
        heapq.heappush(self._waiting, (due, next(self._numbers), arrival, connection))
        return connection.delay == 0

    def pop(self) -> tuple[Arrival, HttpConnection] | None:
        """Return the next connection that may be served now, if there is one."""
        while self._waiting and self._waiting[0][0] <= self._clock():
            _, _, arrival, connection = heapq.heappop(self._waiting)
            if connection.is_open:  # It may have been closed for a new one.
                return arrival, connection
        return None

    @property
    def seconds_left(self) -> float | None:
        """The seconds until `pop` may return one. None if there are none."""
        return max(0.0, self._waiting[0][0] - self._clock()) if self._waiting else None


class AdmittingListener:
    """What eventlet's server accepts connections from."""

    def __init__(self, listener: Listener, connections: HttpConnections) -> None:
        self._listener = listener
        self._arrivals = Arrivals(connections)

    def accept(self) -> tuple[Any, Any]:
        """Return the next connection that may be served, with its `HttpConnection`, and its address."""
        while (popped := self._arrivals.pop()) is None:
            accepted = self._listener.accept_within(self._arrivals.seconds_left)
            if accepted is not None and not self._arrivals.add(*accepted):
                # The more of them are accepted, the more a program opens.
                time.sleep(PAUSE_SECONDS)
        arrival, connection = popped
        arrival.is_served = True
        client = self._listener.wrap(arrival.client)
        client.http_connection = connection
        return client, arrival.address

    def __getattr__(self, name: str) -> Any:
        """Return what the socket has besides."""
        return getattr(self._listener, name)
