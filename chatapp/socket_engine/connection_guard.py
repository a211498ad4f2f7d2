"""Who is let in, and what ends a connection: the same for both ways of writing to sockets.

Only public ways into the libraries are used here: Engine.IO's handlers, and WSGI.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import structlog
from socketio import Server

from chatapp.config import Settings
from chatapp.socket_engine import limits
from chatapp.socket_engine.limits import RateMeter, TokenBucket, TokenBuckets
from chatapp.socket_engine.packets import Malformed

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = structlog.get_logger(__name__)


class ConnectionState:
    """One connection: where it comes from, whose it is once it is let in, and what it has used."""

    __slots__ = ("address", "is_ended", "is_known", "opened_at", "rate_meter", "user_id")

    def __init__(self, address: str, rate_meter: RateMeter | None) -> None:
        self.address = address
        self.rate_meter = rate_meter
        self.opened_at = time.monotonic()
        self.user_id: int | None = None
        self.is_known = False
        """Whether it was let in."""
        self.is_ended = False

    def count(self, size: int) -> None:
        """Count what came from it, and wait as long as it has to: meanwhile no more of it is read."""
        if self.rate_meter is not None and (pause := self.rate_meter.consume(size)):
            time.sleep(pause)


class ConnectionGuard:
    """Looks at everything that comes in before the libraries do.

    With `counts` it counts packets; not where connections count what comes before they take it apart.
    """

    def __init__(self, server: Server, settings: Settings, *, counts: bool) -> None:
        self._server = server
        self._counts = counts
        self._states: dict[str, ConnectionState] = {}
        self._unauthenticated: Counter[str] = Counter()
        self._held: Counter[str] = Counter()
        rate = settings.events_per_second
        self._rate = rate
        self._people = TokenBuckets(limits.PERSON * rate, limits.PERSON * rate * limits.BURST)
        self._addresses = TokenBuckets(limits.ADDRESS * rate, limits.ADDRESS * rate * limits.BURST)
        opening = settings.connections_per_second
        self._openings = TokenBuckets(opening, opening * limits.OPENING_BURST) if opening else None
        self._inner: dict[str, Callable[..., object]] = dict(server.eio.handlers)
        server.eio.on("connect", self._open)
        server.eio.on("message", self._take)
        server.eio.on("disconnect", self._close)

    def wrap_wsgi(self, app: "WSGIApplication") -> "WSGIApplication":
        """Give a WSGI application that refuses new connections where an address opens too many."""

        def guarded(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
            if environ.get("PATH_INFO", "").startswith("/socket.io"):
                # Compressing what is told takes two thirds of the throughput, and 100 KB for each connection.
                environ.pop("HTTP_SEC_WEBSOCKET_EXTENSIONS", None)
                if not self._may_open(environ):
                    self._hold(_address(environ))
                    start_response("429 Too Many Requests", [("Retry-After", "5"), ("Connection", "close")])
                    return [b"Too many new connections from your address. Try again in a moment."]
            return app(environ, start_response)

        return guarded

    def know(self, sid: str, user_id: int) -> None:
        """Note whose connection it is that was let in."""
        if state := self._states.get(self._server.manager.eio_sid_from_sid(sid, "/")):
            self._unauthenticated[state.address] -= not state.is_known
            state.is_known = True
            state.user_id = user_id
            if state.rate_meter is not None:
                state.rate_meter.share(self._people[user_id])

    def find_connection_state(self, eio_sid: str) -> ConnectionState | None:
        """Give what is known of a connection."""
        return self._states.get(eio_sid)

    def end(self, eio_sid: str, reason: str, *, is_offence: bool = True) -> None:
        """End a connection that does harm, with one line in the log.

        What a bad network does as well is no offence: its address may open others as before.
        """
        state = self._states.get(eio_sid)
        if state is None or state.is_ended:
            return
        log.warning("connection ended", reason=reason, user=state.user_id, address=state.address)
        if self._openings is not None and is_offence:
            self._openings[state.address].consume(limits.OFFENCE)
        self._drop(eio_sid, state)

    def sweep(self) -> None:
        """End connections that were not let in in time, and what is left of those that were signed out."""
        now = time.monotonic()
        for eio_sid, state in list(self._states.items()):
            if self._server.manager.sid_from_eio_sid(eio_sid, "/") is not None or state.is_ended:
                continue
            if state.is_known:
                self._drop(eio_sid, state)
            elif now - state.opened_at > limits.HANDSHAKE:
                self.end(eio_sid, f"it did not open within {limits.HANDSHAKE:.0f} s", is_offence=False)

    def _may_open(self, environ: "WSGIEnvironment") -> bool:
        if self._openings is None or "sid" in parse_qs(environ.get("QUERY_STRING", "")):
            return True
        address = _address(environ)
        return self._unauthenticated[address] < limits.UNAUTHENTICATED_CONNECTIONS and self._openings[
            address
        ].try_consume(1)

    def _hold(self, address: str) -> None:
        if self._held[address] < limits.HELD:
            self._held[address] += 1
            time.sleep(limits.HOLD)
            self._held[address] -= 1
        if not self._held[address]:
            del self._held[address]

    def _open(self, eio_sid: str, environ: "WSGIEnvironment") -> object:
        address = _address(environ)
        rate_meter = (
            RateMeter(TokenBucket(self._rate, self._rate * limits.BURST), self._addresses[address])
            if self._rate
            else None
        )
        self._states[eio_sid] = ConnectionState(address, rate_meter)
        self._unauthenticated[address] += 1
        return self._inner["connect"](eio_sid, environ)

    def _take(self, eio_sid: str, data: object) -> None:
        state = self._states.get(eio_sid)
        if state is None or state.is_ended:
            return
        if self._counts and isinstance(data, str | bytes):
            state.count(len(data))
        is_open = self._server.manager.sid_from_eio_sid(eio_sid, "/") is not None
        try:
            if not data:
                raise Malformed("an empty packet")
            if isinstance(data, str) and (data[:1] == "0") is is_open:
                if state.is_known and not is_open:
                    # It was signed out a moment ago, while this was on its way.
                    self._drop(eio_sid, state)
                    return
                raise Malformed("an opening on an open connection" if is_open else "an event before the opening")
            self._inner["message"](eio_sid, data)
        except Malformed as error:
            self.end(eio_sid, str(error))

    def _close(self, eio_sid: str, reason: str) -> object:
        if state := self._states.pop(eio_sid, None):
            self._unauthenticated[state.address] -= not state.is_known
            if not self._unauthenticated[state.address]:
                del self._unauthenticated[state.address]
        return self._inner["disconnect"](eio_sid, reason)

    def _drop(self, eio_sid: str, state: ConnectionState) -> None:
        state.is_ended = True
        if socket := self._server.eio.sockets.get(eio_sid):
            socket.close(wait=False)


def _address(environ: "WSGIEnvironment") -> str:
    return str(environ.get("REMOTE_ADDR", ""))
