"""Socket.IO: events from clients call services, and the signals of services are broadcast to clients.

From clients: `handshake.py` authenticates sockets. `handlers.py` parses and acknowledges events, for the handlers in
`conversations.py`, `threads.py`, `read_state.py`, `activity.py`, `scheduled.py`, `saved.py`, `drafts.py`,
`uploads.py` and `assistants.py`.

To clients: `broadcaster.py` emits signals. `ordering.py` keeps the order of events where several processes write.
`eviction.py` removes sockets from channels after a revocation. `heartbeats.py` lets clients detect a missed event.
`relay.py` and `bus.py` connect the processes.

They share the objects in `application.py`: the server, and the state of its sockets (`connections.py`, `presence.py`,
`typing.py`). `channels.py` has the names of channels.
"""

from flask import Flask

from chatapp.concurrency.supervision import EXTENSION as SUPERVISOR
from chatapp.config import Settings
from chatapp.fallback import EXTENSION as FALLBACK
from chatapp.presentation.messages import get_message_presenter
from chatapp.realtime import activity as activity
from chatapp.realtime import assistants as assistants
from chatapp.realtime import commands as commands
from chatapp.realtime import conversations as conversations
from chatapp.realtime import drafts as drafts
from chatapp.realtime import read_state as read_state
from chatapp.realtime import saved as saved
from chatapp.realtime import scheduled as scheduled
from chatapp.realtime import threads as threads
from chatapp.realtime import uploads as uploads
from chatapp.realtime.application import EXTENSION, Realtime
from chatapp.realtime.handlers import list_event_names, register_events
from chatapp.realtime.handshake import Handshake
from chatapp.signals import EXTENSION as SIGNALS
from chatapp.socket_engine import init_engine


def init_realtime(app: Flask, settings: Settings) -> None:
    """Serve Socket.IO to pages of our own origin."""
    engine = init_engine(
        app,
        settings,
        app.extensions[SUPERVISOR],
        event_names=list_event_names(),
        on_connected=lambda sid: handshake.send_initial_events(sid),  # noqa: PLW0108 - it needs the engine
    )
    app.extensions[EXTENSION] = realtime = Realtime(
        engine, app.extensions[SIGNALS], app.extensions[FALLBACK], get_message_presenter(app), settings
    )
    handshake = Handshake(app, realtime)
    realtime.server.on("connect", handshake.connect)
    realtime.server.on("disconnect", handshake.disconnect)
    register_events(app, realtime)
