"""The objects that the modules of this package share, one set for each application.

Event handlers get them from their caller (`Caller.realtime`). The classes that broadcast get them when a process starts
to serve (`chatapp.serving.background`). Two applications in one process share nothing.
"""

from collections import Counter

from flask import Flask, current_app
from socketio import Server

from chatapp.config import Settings
from chatapp.distribution import Distribution
from chatapp.fallback import Fallback
from chatapp.presentation.messages import MessagePresenter
from chatapp.realtime.connections import Connections
from chatapp.realtime.ordering import BroadcastPositions
from chatapp.realtime.presence import Presence
from chatapp.realtime.recent_changes import RecentChanges
from chatapp.realtime.typing import TypingThrottle
from chatapp.signals import Signals
from chatapp.socket_engine import SocketEngine

EXTENSION = "chatapp.realtime"
"""Key of the application's `Realtime` in `app.extensions`."""


class Realtime:
    """The Socket.IO server of an application, and what is known of its sockets."""

    def __init__(
        self,
        engine: SocketEngine,
        signals: Signals,
        fallback: Fallback,
        presenter: MessagePresenter,
        settings: Settings,
    ) -> None:
        self.engine = engine
        self.presenter = presenter
        self.settings = settings
        self.signals = signals
        self.fallback = fallback
        self.server: Server = engine.server
        self.connections = Connections(self.server)
        self.presence = Presence(self.server)
        self.positions = BroadcastPositions()
        self.recent_changes = RecentChanges()
        self.typing_throttle = TypingThrottle(signals)
        self.event_counts: Counter[tuple[str, str]] = Counter()
        """Number of events by their name, and `ok` or the code of the error."""
        self.ack_seconds = Distribution()
        """Time from the receipt of a message, or of another change, until it was acknowledged."""
        self.delivery_seconds = Distribution()
        """Time from the creation of a message until it was handed to the sockets of its conversation."""


def get_realtime(app: Flask) -> Realtime:
    """Return the `Realtime` of an application."""
    realtime: Realtime = app.extensions[EXTENSION]
    return realtime


def current_realtime() -> Realtime:
    """Return the `Realtime` of the current application."""
    return get_realtime(current_app)
