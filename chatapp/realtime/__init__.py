"""Socket.IO events: handlers call the core, and the core's signals are broadcast.

`state.py` holds what is known of an application's sockets; `handshake.py` authenticates them; `handlers.py` parses
events and acknowledges them, for the handlers in `conversations.py`, `read_state.py`, `typing.py`, `presence.py` and
`assistants.py`. In the other direction `broadcaster.py` emits the core's signals, `ordering.py` keeps the order where
several processes write, `eviction.py` stops sockets after a revocation, `heartbeats.py` lets clients detect a missed
event, and `relay.py` with `bus.py` connects the processes.
"""

from flask import Flask

from chatapp.config import Settings
from chatapp.realtime import assistants as assistants
from chatapp.realtime import conversations as conversations
from chatapp.realtime import read_state as read_state
from chatapp.realtime import typing as typing
from chatapp.realtime.handlers import list_event_names, serve_events
from chatapp.realtime.handshake import greet, serve_handshake
from chatapp.realtime.state import EXTENSION, Realtime
from chatapp.socket_engine import init_engine
from chatapp.supervision import EXTENSION as SUPERVISOR


def init_realtime(app: Flask, settings: Settings) -> None:
    """Serve Socket.IO to pages of our own origin."""
    engine = init_engine(
        app,
        settings,
        app.extensions[SUPERVISOR],
        event_names=list_event_names(),
        # Its handler has submitted the message to the writer before it yields.
        concurrent_events={"send_message"},
        on_connected=lambda sid: greet(app, realtime, sid),
    )
    app.extensions[EXTENSION] = realtime = Realtime(engine)
    serve_handshake(app, realtime)
    serve_events(app, realtime)
