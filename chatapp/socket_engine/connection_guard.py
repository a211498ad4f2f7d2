"""The connection guard: limits connections and events, and closes connections that break the protocol.

It is the same for both engines, and uses public interfaces of the libraries only: Engine.IO's handlers, and WSGI.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import structlog
from socketio import Server

from chatapp.config import Settings
from chatapp.limits.networks import client_network
from chatapp.socket_engine import limits
from chatapp.socket_engine.packets import Malformed
from chatapp.socket_engine.tarpit import Tarpit
from chatapp.socket_engine.token_bucket import RateMeter, TokenBucket, TokenBuckets

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = structlog.get_logger(__name__)


class ConnectionState:
    """A connection: its address, its user once it is authenticated, and its use of the rate limits."""

    __slots__ = ("address", "is_authenticated", "is_closing", "opened_at", "rate_meter", "sid", "user_id")

    def __init__(self, address: str, rate_meter: RateMeter | None) -> None:
        self.address = address
        self.rate_meter = rate_meter
        self.opened_at = time.monotonic()
        self.sid: str | None = None
        """The Socket.IO id under which it last sent an event. The library takes longer to find it."""
        self.user_id: int | None = None
        self.is_authenticated = False
        self.is_closing = False

    def count(self, size: int) -> float:
        """Count a packet of `size` bytes; return the seconds to wait before the next one is read."""
        return 0.0 if self.rate_meter is None else self.rate_meter.consume(size)

    def throttle(self, size: int) -> None:
        """Count a packet of `size` bytes, and sleep while a rate limit is exceeded: meanwhile no more is read."""
        if pause := self.count(size):
            time.sleep(pause)


class ConnectionGuard:
    """Checks everything that clients send before the libraries process it.

    With `throttles_packets` it applies the rate limits to packets; the fast engine does so itself, to frames, before it
    parses them. `on_connected(sid)` is called after a client has been sent its CONNECT packet, so that events emitted
    there arrive after that.
    """

    def __init__(
        self, server: Server, settings: Settings, on_connected: Callable[[str], None], *, throttles_packets: bool
    ) -> None:
        self._server = server
        self._on_connected = on_connected
        self._throttles_packets = throttles_packets
        self._trusts_proxies = settings.trusted_proxies > 0
        self._refuses_polling = settings.workers > 1
        self._states: dict[str, ConnectionState] = {}
        self._unauthenticated: Counter[str] = Counter()
        """Number of connections that are not authenticated, by address."""
        self._tarpit = Tarpit()
        self._log_lines = TokenBuckets(limits.LOG_LINES_PER_SECOND, limits.LOG_LINES_BURST)
        """Lines in the log about connections that were not authenticated, by address."""
        rate = settings.events_per_second
        self._events_per_second = rate
        self._user_buckets = TokenBuckets(
            limits.USER_RATE_FACTOR * rate, limits.USER_RATE_FACTOR * rate * limits.BURST_SECONDS
        )
        self._address_buckets = TokenBuckets(
            limits.ADDRESS_RATE_FACTOR * rate, limits.ADDRESS_RATE_FACTOR * rate * limits.BURST_SECONDS
        )
        connections = settings.connections_per_second
        self._connection_buckets = (
            TokenBuckets(connections, connections * limits.CONNECTION_BURST_SECONDS) if connections else None
        )
        self._library_handlers: dict[str, Callable[..., object]] = dict(server.eio.handlers)
        server.eio.on("connect", self._on_connect)
        server.eio.on("message", self._on_message)
        server.eio.on("disconnect", self._on_disconnect)

    def wrap_wsgi(self, app: "WSGIApplication") -> "WSGIApplication":
        """Return a WSGI application that refuses new connections of an address that opens too many.

        With several workers it refuses polling: each request of a session would have to reach the same worker.
        """

        def guarded(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
            if environ.get("PATH_INFO", "").startswith("/socket.io"):
                # Compression would cost two thirds of the throughput, and 100 KB of memory for each connection.
                environ.pop("HTTP_SEC_WEBSOCKET_EXTENSIONS", None)
                if self._trusts_proxies:
                    # The host and the protocol are those of the proxy already. Engine.IO would also accept the origin
                    # in the first values of these headers, which the client may have sent.
                    environ.pop("HTTP_X_FORWARDED_HOST", None)
                    environ.pop("HTTP_X_FORWARDED_PROTO", None)
                if self._refuses_polling and environ.get("HTTP_UPGRADE", "").lower() != "websocket":
                    start_response("400 Bad Request", [("Content-Type", "text/plain; charset=utf-8")])
                    return [limits.POLLING_REFUSED.encode()]
                if not self._may_connect(environ):
                    self._tarpit.delay(_get_address(environ))
                    headers = [
                        ("Content-Type", "text/plain; charset=utf-8"),
                        ("Retry-After", "5"),
                        ("Connection", "close"),
                    ]
                    start_response("429 Too Many Requests", headers)
                    return [b"Too many new connections from your address. Try again in a moment."]
            return app(environ, start_response)

        return guarded

    def authenticate(self, sid: str, user_id: int) -> None:
        """Record the user of a connection, and apply the user's rate limit to it."""
        if state := self._states.get(self._server.manager.eio_sid_from_sid(sid, "/")):
            self._unauthenticated[state.address] -= not state.is_authenticated
            state.is_authenticated = True
            state.user_id = user_id
            if state.rate_meter is not None:
                state.rate_meter.add(self._user_buckets[user_id])

    def count_events(self, sid: str, number: int) -> None:
        """Count more events of a socket. If its rate is exceeded, its next packet is read later."""
        if state := self._states.get(self._server.manager.eio_sid_from_sid(sid, "/")):
            state.count(number * limits.BYTES_PER_EVENT)

    def find_connection_state(self, eio_sid: str) -> ConnectionState | None:
        """Return the state of a connection; None when it is closed."""
        return self._states.get(eio_sid)

    def find_sender(self, eio_sid: str) -> str | None:
        """Return the Socket.IO id of a connection that has sent an event; None if the event is to be ignored.

        Raises `Malformed` if the connection has sent no CONNECT packet.
        """
        state = self._states.get(eio_sid)
        if state is None or state.is_closing:
            return None
        manager = self._server.manager
        if state.sid is not None and manager.is_connected(state.sid, "/"):
            return state.sid
        sid: str | None = manager.sid_from_eio_sid(eio_sid, "/")
        if sid is None:
            if state.is_authenticated:
                # It was signed out a moment ago, while this packet was on its way.
                self._close(eio_sid, state)
                return None
            raise Malformed("an event before the CONNECT packet")
        state.sid = sid if manager.is_connected(sid, "/") else None
        return state.sid

    def disconnect(self, eio_sid: str, reason: str, *, is_abuse: bool = True) -> None:
        """Close a connection, with one line in the log. Without a login, an address gets a limited number of lines.

        With `is_abuse` the address may open fewer connections for a while. Behaviour that a bad network can cause too
        is not abuse.
        """
        state = self._states.get(eio_sid)
        if state is None or state.is_closing:
            return
        if state.is_authenticated or self._log_lines[state.address].try_consume(1):
            log.warning("connection closed by the server", reason=reason, user=state.user_id, address=state.address)
        if self._connection_buckets is not None and is_abuse:
            self._connection_buckets[state.address].consume(limits.ABUSE_PENALTY_CONNECTIONS)
        self._close(eio_sid, state)

    def sweep(self) -> None:
        """Close connections that did not authenticate in time, or whose Socket.IO connection has ended."""
        now = time.monotonic()
        for eio_sid, state in list(self._states.items()):
            if self._server.manager.sid_from_eio_sid(eio_sid, "/") is not None or state.is_closing:
                continue
            if state.is_authenticated:
                self._close(eio_sid, state)
            elif now - state.opened_at > limits.HANDSHAKE_SECONDS:
                self.disconnect(eio_sid, f"no authentication within {limits.HANDSHAKE_SECONDS:.0f} s", is_abuse=False)

    def _may_connect(self, environ: "WSGIEnvironment") -> bool:
        if self._connection_buckets is None or "sid" in parse_qs(environ.get("QUERY_STRING", "")):
            return True
        address = _get_address(environ)
        return self._unauthenticated[address] < limits.MAX_UNAUTHENTICATED_CONNECTIONS and self._connection_buckets[
            address
        ].try_consume(1)

    def _on_connect(self, eio_sid: str, environ: "WSGIEnvironment") -> object:
        address = _get_address(environ)
        rate = self._events_per_second
        rate_meter = (
            RateMeter(TokenBucket(rate, rate * limits.BURST_SECONDS), self._address_buckets[address]) if rate else None
        )
        self._states[eio_sid] = ConnectionState(address, rate_meter)
        self._unauthenticated[address] += 1
        return self._library_handlers["connect"](eio_sid, environ)

    def _on_message(self, eio_sid: str, data: object) -> None:
        state = self._states.get(eio_sid)
        if state is None or state.is_closing:
            return
        if self._throttles_packets and isinstance(data, str | bytes):
            state.throttle(len(data))
        is_connected = self._server.manager.sid_from_eio_sid(eio_sid, "/") is not None
        try:
            if not data:
                raise Malformed("an empty packet")
            if isinstance(data, str) and data[:1] == "0":
                if is_connected:
                    raise Malformed("a second CONNECT packet")
                if state.is_authenticated:
                    # It has disconnected. Its pages open a new connection instead.
                    self._close(eio_sid, state)
                    return
            elif isinstance(data, str) and self.find_sender(eio_sid) is None:
                return
            self._library_handlers["message"](eio_sid, data)
        except Malformed as error:
            self.disconnect(eio_sid, str(error))
            return
        if not is_connected and (sid := self._server.manager.sid_from_eio_sid(eio_sid, "/")) is not None:
            # The library keeps the headers of the handshake, which nothing needs from here on.
            self._server.environ.pop(eio_sid, None)
            self._on_connected(sid)

    def _on_disconnect(self, eio_sid: str, reason: str) -> object:
        if state := self._states.pop(eio_sid, None):
            self._unauthenticated[state.address] -= not state.is_authenticated
            if not self._unauthenticated[state.address]:
                del self._unauthenticated[state.address]
        return self._library_handlers["disconnect"](eio_sid, reason)

    def _close(self, eio_sid: str, state: ConnectionState) -> None:
        state.is_closing = True
        if socket := self._server.eio.sockets.get(eio_sid):
            socket.close(wait=False)


def _get_address(environ: "WSGIEnvironment") -> str:
    return client_network(str(environ.get("REMOTE_ADDR", "")))
