"""Socket.IO server: fast writes, strict parsing, rate limits and protection against abusive clients.

The only package that depends on internals of python-socketio, python-engineio and eventlet. It knows nothing of the
application: names of events and callbacks are parameters.

The interface is in this module:

- `init_engine` serves Socket.IO for an application and returns its `SocketEngine`.
- `SocketEngine.server` is the `socketio.Server`: register handlers with `on`, send with `emit`, and change channels
  with `enter_room` and `leave_room`.
- `SocketEngine.connection_guard` has `authenticate`, which the connect handler calls, and `sweep`, which has to be
  called about once a second.

There are two engines. `fast` writes to sockets itself: see `server.py` and `connection.py`. `stock` uses the libraries
as they are; it is also used where threads are not green or a library's version is not known. Limits, parsing and abuse
handling (`limits.py`, `token_bucket.py`, `packets.py`, `connection_guard.py`) are the same for both.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
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


def init_engine(
    app: Flask,
    settings: Settings,
    supervisor: Supervisor,
    *,
    event_names: Collection[str],
    concurrent_events: Collection[str] = (),
    on_connected: Callable[[str], None],
) -> SocketEngine:
    """Serve Socket.IO for `app` and accept the events named.

    The events of one client are handled one after the other, so that its messages are stored in the order in which it
    sent them. Only consecutive `concurrent_events` are handled at the same time. Their handlers start in order, and
    must do everything that depends on the order before they yield for the first time. `on_connected(sid)` is called
    after a client has been sent its CONNECT packet.
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
            concurrent_events,
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
    return SocketEngine(server, connection_guard)


def _is_fast(settings: Settings) -> bool:
    if settings.socket_engine == "stock" or not is_green():
        return False
    if unknown := list_unknown_versions():
        log.warning("using the slower stock socket engine: versions of libraries are not known", unknown=unknown)
        return False
    return True
