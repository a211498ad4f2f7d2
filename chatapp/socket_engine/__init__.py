"""Socket.IO server: fast writes, strict parsing, rate limits and protection against abusive clients.

The only package that depends on internals of python-socketio, python-engineio and eventlet. It knows nothing of the
application: names of events and callbacks are parameters.

The interface is in this module:

- `init_engine` serves Socket.IO for an application and returns its `SocketEngine`.
- `SocketEngine.handle_events` registers the handlers of events.
- `SocketEngine.server` is the `socketio.Server`: register the handlers of `connect` and `disconnect` with `on`, send
  with `emit`, and change channels with `enter_room` and `leave_room`.
- `SocketEngine.connection_guard` has `authenticate`, which the connect handler calls, and `sweep`, which has to be
  called about once a second.

There are two engines. `fast` writes to sockets itself: see `server.py` and `connection.py`. `stock` uses the libraries
as they are; it is also used where threads are not green or a library's version is not known. Limits, parsing and abuse
handling (`limits.py`, `token_bucket.py`, `packets.py`, `connection_guard.py`) are the same for both.
"""

import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog
from engineio.payload import Payload
from flask import Flask
from flask_socketio import SocketIO
from socketio import Server

from chatapp.concurrency.native import is_green
from chatapp.concurrency.supervision import Supervisor
from chatapp.config import Settings
from chatapp.socket_engine import codec
from chatapp.socket_engine.connection_guard import ConnectionGuard
from chatapp.socket_engine.events import EventHandler
from chatapp.socket_engine.limits import MAX_PACKETS_PER_REQUEST, max_packet_bytes
from chatapp.socket_engine.logs import shorten_client_errors
from chatapp.socket_engine.packets import make_packet_class
from chatapp.socket_engine.versions import list_unknown_versions

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SocketEngine:
    """The Socket.IO server of one application."""

    server: Server
    connection_guard: ConnectionGuard
    is_fast: bool

    def emit(self, event: str, data: object, channel: str) -> None:
        """Emit an event to the sockets in a channel. It takes half as long as `server.emit`."""
        self.server.manager.emit(event, data, "/", room=channel)

    def handle_events(self, handlers: Mapping[str, EventHandler]) -> None:
        """Handle events, given by their names.

        The events of one client are handled one after the other, so that its messages are stored in the order in which
        it sent them. Only immediate events that follow one another are handled at the same time.
        """
        if self.is_fast:
            self.server.eio.event_handlers = handlers
            return
        for name, handler in handlers.items():
            self.server.on(name, partial(_wait_for_ack, handler))


def init_engine(
    app: Flask,
    settings: Settings,
    supervisor: Supervisor,
    *,
    event_names: Collection[str],
    on_connected: Callable[[str], None],
) -> SocketEngine:
    """Serve Socket.IO for `app` and accept the events named, which `SocketEngine.handle_events` then handles.

    `on_connected(sid)` is called after a client has been sent its CONNECT packet.
    """
    is_fast = _is_fast(settings)
    engine_options: dict[str, Any] = {
        "async_mode": "eventlet" if is_green() else "threading",
        "json": codec,
        "max_http_buffer_size": max_packet_bytes(settings.max_message_chars),
    }
    options: dict[str, Any] = {"serializer": make_packet_class(event_names)}
    if is_fast:
        from chatapp.socket_engine.manager import BroadcastManager

        options["client_manager"] = BroadcastManager()
    socketio = SocketIO()
    socketio.init_app(app, async_handlers=False, manage_session=False, **options, **engine_options)
    server = socketio.server
    if is_fast:
        from chatapp.socket_engine.server import FastServer

        handlers = server.eio.handlers
        server.eio = FastServer(
            supervisor,
            coalesces_writes=settings.socket_coalescing,
            async_handlers=False,
            **engine_options,
        )
        server.eio.handlers.update(handlers)
    else:
        # Engine.IO has this limit for the process, not for a server. A higher one of another server stays.
        Payload.max_decode_packets = max(Payload.max_decode_packets, MAX_PACKETS_PER_REQUEST)
    connection_guard = ConnectionGuard(server, settings, on_connected, throttles_packets=not is_fast)
    if is_fast:
        server.eio.connection_guard = connection_guard
    shorten_client_errors()
    app.wsgi_app = connection_guard.wrap_wsgi(app.wsgi_app)  # type: ignore[assignment, method-assign]
    return SocketEngine(server, connection_guard, is_fast)


def _wait_for_ack(handler: EventHandler, sid: str, *arguments: object) -> Mapping[str, Any]:
    """Handle an event of the stock engine, which sends what its handlers return as acknowledgement."""
    acks: list[Mapping[str, Any]] = []
    is_acknowledged = threading.Event()

    def acknowledge(ack: Mapping[str, Any]) -> None:
        acks.append(ack)
        is_acknowledged.set()

    handle = handler.find_waiting(arguments) or handler.handle
    handle(sid, arguments, acknowledge)
    is_acknowledged.wait()
    return acks[0]


def _is_fast(settings: Settings) -> bool:
    if settings.socket_engine == "stock" or not is_green():
        return False
    if unknown := list_unknown_versions():
        log.warning("using the slower stock socket engine: versions of libraries are not known", unknown=unknown)
        return False
    return True
