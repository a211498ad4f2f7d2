"""The open HTTP connections of a process and their limits.

A connection is *waiting* until its request has arrived, and again after the response. While a request is processed, it
is *anonymous* or belongs to a login session that is known to be valid. A WebSocket is one long request.

When all connections are in use, the one that has waited longest is closed for a new one: its client has no request in
progress, and a browser opens another connection. A part of the connections is reserved for login sessions. So silent or
slow clients cannot keep out people who are signed in.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus
from typing import Any

import structlog

from chatapp.config import Settings
from chatapp.limits.networks import client_network
from chatapp.socket_engine.token_bucket import TokenBuckets

log = structlog.get_logger(__name__)

RESERVED_SHARE = 0.1
"""Part of all connections that only requests with a login session may use."""

NEW_RATE_FACTOR = 2
"""Rate of new connections of an address, as a multiple of the rate of new sockets: a page opens several connections."""

NEW_BURST_SECONDS = 2
"""Size of a burst of new connections, in seconds of the rate."""

MAX_DELAY_SECONDS = 5.0
"""Longest delay of a new connection. Those that would have to wait longer are refused."""

LOG_INTERVAL_SECONDS = 60.0
"""Minimum time between two log lines that connections are refused."""


def encode_response(status: HTTPStatus, text: str, *headers: str) -> bytes:
    """Return a response in plain text, after which the connection ends."""
    lines = [
        f"HTTP/1.1 {status.value} {status.phrase}",
        "Connection: close",
        "Content-Type: text/plain; charset=utf-8",
        "X-Content-Type-Options: nosniff",
        f"Content-Length: {len(text)}",
        *headers,
    ]
    return "\r\n".join([*lines, "", text]).encode("ascii")


@dataclass(frozen=True, slots=True)
class Refusal:
    """The response to a request for which there is no connection left."""

    status: HTTPStatus
    message: str

    def send(self, connection: Any) -> None:
        """Send it to the client of a new connection, whose buffer is empty."""
        response = encode_response(self.status, self.message, "Retry-After: 5")
        with suppress(OSError):
            connection.send(response)


ALL_IN_USE = Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "Too many people are connected. Try again in a moment.")
TOO_MANY_OF_ADDRESS = Refusal(
    HTTPStatus.TOO_MANY_REQUESTS, "Too many connections from your address. Try again in a moment."
)
TOO_MANY_OF_LOGIN = Refusal(
    HTTPStatus.TOO_MANY_REQUESTS, "Too many connections of your browser or programs. Close some and try again."
)


class _State(Enum):
    WAITING = 1
    ANONYMOUS = 2
    SIGNED_IN = 3
    CLOSED = 4


class HttpConnection:
    """An open connection."""

    __slots__ = (
        "_connections", "_key", "_shut_down", "_state", "delay", "is_detached", "peer", "request_count"
    )  # fmt: skip

    def __init__(
        self, connections: "HttpConnections", peer: str, shut_down: Callable[[], None], delay: float = 0.0
    ) -> None:
        self._connections = connections
        self._key = ""
        self._state = _State.CLOSED
        self._shut_down = shut_down
        self.peer = peer
        self.request_count = 0
        self.delay = delay
        """Seconds after which it may be served."""
        self.is_detached = False
        """Whether a WebSocket has taken the socket."""

    @property
    def is_open(self) -> bool:
        """Whether it has not been closed, by the client or for a new connection."""
        return self._state is not _State.CLOSED

    def shut_down(self) -> None:
        """Wake the thread of the connection, which closes it."""
        self._shut_down()

    def wait(self) -> None:
        """Record that no request is in progress."""
        self._connections.change(self, _State.WAITING)

    def begin_request(self, network: str, login_token: str | None) -> Refusal | None:
        """Record that a request has arrived, of a login session or of a visitor from `network`.

        Returns the refusal if there are too many of them.
        """
        self.request_count += 1
        return self._connections.begin_request(self, network, login_token)

    def confirm_login(self, request_number: int, login_token: str) -> None:
        """Record that a request belongs to a login session, if it is still in progress and counts as a visitor's."""
        if self._state is _State.ANONYMOUS and self.request_count == request_number:
            self._connections.change(self, _State.SIGNED_IN, login_token)

    def detach(self) -> Callable[[], None]:
        """Let go of the connection, which `shut_down` no longer reaches. Return what to call when it is closed."""
        self._shut_down = _do_nothing
        self.is_detached = True
        self._connections.detached += 1
        return self.close

    def close(self) -> None:
        """Record that the connection is closed."""
        self._connections.change(self, _State.CLOSED)


def _do_nothing() -> None:
    """Shut down a connection that has been detached."""


def _ignore_count(_count: int) -> None:
    """Publish the number of connections where no other process needs it."""


class HttpConnections:
    """All connections of a process."""

    def __init__(self, settings: Settings) -> None:
        self._max = settings.max_connections
        self._max_anonymous = self._max - max(1, int(self._max * RESERVED_SHARE))
        per_address = settings.max_connections_per_address
        self._max_per_address = min(per_address, max(1, self._max // 2)) if per_address else self._max
        self._max_per_login = settings.max_connections_per_login or self._max
        # All connections come from the proxy's address, which itself limits clients that send nothing.
        self._limits_peers = settings.trusted_proxies == 0
        rate = settings.connections_per_second * NEW_RATE_FACTOR if self._limits_peers else 0
        self._new = (
            TokenBuckets(rate, rate * NEW_BURST_SECONDS, max_debt=rate * (MAX_DELAY_SECONDS + 1)) if rate else None
        )
        self._total = 0
        self._waiting: dict[HttpConnection, None] = {}
        """In the order in which they began to wait, as are those of each peer."""
        self._waiting_by_peer: defaultdict[str, dict[HttpConnection, None]] = defaultdict(dict)
        self._anonymous: Counter[str] = Counter()
        """Requests in progress without a login session, by network."""
        self._logins: Counter[str] = Counter()
        """Requests in progress, by login session."""
        self._logged_at = float("-inf")
        self.detached = 0
        """Number of connections that a WebSocket has taken."""
        self.publish: Callable[[int], None] = _ignore_count
        """Called with the number of open connections when it changes."""
        self.is_closing = False
        """Whether each connection is closed after its next response."""

    @property
    def count(self) -> int:
        """The number of open connections."""
        return self._total

    @property
    def requests(self) -> int:
        """The number of requests in progress, without WebSockets."""
        return self._total - len(self._waiting) - self.detached

    def close_after_response(self) -> None:
        """Close each connection after its next response, and publish no more numbers."""
        self.is_closing = True
        self.publish = _ignore_count

    def open(self, peer: str, shut_down: Callable[[], None]) -> HttpConnection | Refusal:
        """Return the state of a new connection, which waits for its first request; the refusal if it must be closed."""
        network = client_network(peer)
        delay = 0.0 if self._new is None else self._new[network].consume(1)
        if delay > MAX_DELAY_SECONDS:
            self._log_refusal(TOO_MANY_OF_ADDRESS, network)
            return TOO_MANY_OF_ADDRESS
        connection = HttpConnection(self, network, shut_down, delay)
        if self._limits_peers and len(self._waiting_by_peer[connection.peer]) >= self._max_per_address:
            self._evict(next(iter(self._waiting_by_peer[connection.peer])))
        if self._total >= self._max:
            if not self._waiting:
                self._log_refusal(ALL_IN_USE, network)
                return ALL_IN_USE
            self._evict(next(iter(self._waiting)))
        connection.wait()
        return connection

    def close_waiting(self) -> None:
        """Close the connections that have no request in progress."""
        for connection in list(self._waiting):
            self._evict(connection)

    def begin_request(self, connection: HttpConnection, network: str, login_token: str | None) -> Refusal | None:
        """See `HttpConnection.begin_request`."""
        refusal = self._find_refusal(network, login_token)
        if refusal is not None:
            self._log_refusal(refusal, network)
        elif login_token is None:
            self.change(connection, _State.ANONYMOUS, network)
        else:
            self.change(connection, _State.SIGNED_IN, login_token)
        return refusal

    def change(self, connection: HttpConnection, state: _State, key: str = "") -> None:
        """Change the state of a connection and the numbers of connections in each."""
        old_state, old_key = connection._state, connection._key  # noqa: SLF001 - the two classes belong together
        if old_state is _State.WAITING:
            del self._waiting[connection]
            del self._waiting_by_peer[connection.peer][connection]
            if not self._waiting_by_peer[connection.peer]:
                del self._waiting_by_peer[connection.peer]
        elif old_state is not _State.CLOSED:
            counter = self._anonymous if old_state is _State.ANONYMOUS else self._logins
            counter[old_key] -= 1
            if not counter[old_key]:
                del counter[old_key]
        connection._state, connection._key = state, key  # noqa: SLF001
        if state is _State.WAITING:
            self._waiting[connection] = self._waiting_by_peer[connection.peer][connection] = None
        elif state is _State.ANONYMOUS:
            self._anonymous[key] += 1
        elif state is _State.SIGNED_IN:
            self._logins[key] += 1
        self.detached -= connection.is_detached and state is _State.CLOSED and old_state is not _State.CLOSED
        if change := (state is not _State.CLOSED) - (old_state is not _State.CLOSED):
            self._total += change
            self.publish(self._total)

    def _find_refusal(self, network: str, login_token: str | None) -> Refusal | None:
        if login_token is not None:
            return TOO_MANY_OF_LOGIN if self._logins[login_token] >= self._max_per_login else None
        if self._anonymous[network] >= self._max_per_address:
            return TOO_MANY_OF_ADDRESS
        return ALL_IN_USE if self._anonymous.total() >= self._max_anonymous else None

    def _evict(self, connection: HttpConnection) -> None:
        connection.close()
        connection.shut_down()

    def _log_refusal(self, refusal: Refusal, network: str) -> None:
        now = time.monotonic()
        if now - self._logged_at >= LOG_INTERVAL_SECONDS:
            self._logged_at = now
            log.warning("connections are refused", reason=refusal.message, address=network, open=self._total)
