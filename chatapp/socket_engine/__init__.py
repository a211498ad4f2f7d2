"""The edge of Socket.IO: fast writes, and clients that mean harm.

The only place that knows the insides of python-socketio, python-engineio and eventlet. Everything that is safe without
them (`connection_guard.py`, `packets.py`) holds whichever way sockets are written to.
"""

from typing import Any

import structlog
from engineio.payload import Payload
from flask import Flask, current_app
from flask_socketio import SocketIO

from chatapp.config import Settings
from chatapp.native import is_green
from chatapp.socket_engine import codec
from chatapp.socket_engine.connection_guard import ConnectionGuard
from chatapp.socket_engine.limits import PACKETS, packet_bytes
from chatapp.socket_engine.logs import quieten
from chatapp.socket_engine.packets import StrictPacket
from chatapp.socket_engine.versions import list_unknown

log = structlog.get_logger(__name__)

EXTENSION = "chatapp.connection_guard"
"""Where the application keeps its connection_guard, in `app.extensions`."""


def init_engine(app: Flask, socketio: SocketIO, settings: Settings, events: frozenset[str]) -> None:
    """Serve Socket.IO for `app`, and take the events named.

    Handlers run one after the other for each client: the order in which a person sends is the order of the timeline.
    """
    StrictPacket.events = events
    Payload.max_decode_packets = PACKETS
    is_fast = _is_fast(settings)
    options: dict[str, Any] = {
        "async_mode": "eventlet" if is_green() else "threading",
        "json": codec,
        "max_http_buffer_size": packet_bytes(settings.max_message_chars),
    }
    manager: dict[str, Any] = {}
    if is_fast:
        from chatapp.socket_engine.fanout import FanOut

        manager["client_manager"] = FanOut()
    socketio.init_app(app, async_handlers=False, manage_session=False, serializer=StrictPacket, **manager, **options)
    server = socketio.server
    if is_fast:
        from chatapp.socket_engine.connection import FastServer

        handlers = server.eio.handlers
        server.eio = FastServer(coalesces_writes=settings.socket_coalescing, async_handlers=False, **options)
        server.eio.handlers.update(handlers)
    app.extensions[EXTENSION] = connection_guard = ConnectionGuard(server, settings, counts=not is_fast)
    if is_fast:
        server.eio.connection_guard = connection_guard
    quieten()
    app.wsgi_app = connection_guard.wrap_wsgi(app.wsgi_app)  # type: ignore[assignment, method-assign]


def current_connection_guard() -> ConnectionGuard:
    """Give the connection_guard of the application at hand."""
    connection_guard: ConnectionGuard = current_app.extensions[EXTENSION]
    return connection_guard


def _is_fast(settings: Settings) -> bool:
    if settings.socket_engine == "stock" or not is_green():
        return False
    if unknown := list_unknown():
        log.warning("sockets are written to in the libraries' own way, which is slower: versions unknown", of=unknown)
        return False
    return True
