"""The edge of Socket.IO: fast writes, and clients that mean harm.

The only place that knows the insides of python-socketio, python-engineio and eventlet. Everything that is safe without
them (`doorkeeper.py`, `packets.py`) holds whichever way sockets are written to.
"""

from typing import Any

import structlog
from engineio.payload import Payload
from flask import Flask, current_app
from flask_socketio import SocketIO

from chatapp.config import Settings
from chatapp.native import is_green
from chatapp.realtime import codec
from chatapp.realtime.engine.doorkeeper import Doorkeeper
from chatapp.realtime.engine.limits import PACKETS, packet_bytes
from chatapp.realtime.engine.logs import quieten
from chatapp.realtime.engine.packets import StrictPacket
from chatapp.realtime.engine.versions import list_unknown

log = structlog.get_logger(__name__)

EXTENSION = "chatapp.doorkeeper"
"""Where the application keeps its doorkeeper, in `app.extensions`."""


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
        "max_http_buffer_size": packet_bytes(settings.message_limit),
    }
    manager: dict[str, Any] = {}
    if is_fast:
        from chatapp.realtime.engine.fanout import FanOut

        manager["client_manager"] = FanOut()
    socketio.init_app(app, async_handlers=False, manage_session=False, serializer=StrictPacket, **manager, **options)
    server = socketio.server
    if is_fast:
        from chatapp.realtime.engine.connection import FastServer

        handlers = server.eio.handlers
        server.eio = FastServer(is_joining=settings.socket_joining, async_handlers=False, **options)
        server.eio.handlers.update(handlers)
    app.extensions[EXTENSION] = doorkeeper = Doorkeeper(server, settings, counts=not is_fast)
    if is_fast:
        server.eio.doorkeeper = doorkeeper
    quieten()
    app.wsgi_app = doorkeeper.guard(app.wsgi_app)  # type: ignore[assignment, method-assign]


def current_doorkeeper() -> Doorkeeper:
    """Give the doorkeeper of the application at hand."""
    doorkeeper: Doorkeeper = current_app.extensions[EXTENSION]
    return doorkeeper


def _is_fast(settings: Settings) -> bool:
    if settings.socket_engine == "stock" or not is_green():
        return False
    if unknown := list_unknown():
        log.warning("sockets are written to in the libraries' own way, which is slower: versions unknown", of=unknown)
        return False
    return True
