"""Socket.IO, kept thin: events come in and call the core, the core's signals go out."""

from flask import Flask

from chatapp.extensions import socketio
from chatapp.native import is_green
from chatapp.realtime import assistants as assistants
from chatapp.realtime import codec
from chatapp.realtime import conversations as conversations
from chatapp.realtime import read_state as read_state
from chatapp.realtime import typing as typing
from chatapp.realtime.answers import serve_events
from chatapp.realtime.connection import find_person, init_connection


def init_realtime(app: Flask) -> None:
    """Serve Socket.IO to pages of our own origin.

    Handlers run one after the other for each client: the order in which a person sends is the order of the timeline.
    """
    init_connection()
    socketio.init_app(
        app,
        async_mode="eventlet" if is_green() else "threading",
        async_handlers=False,
        manage_session=False,
        json=codec,
    )
    serve_events(app, socketio.server, find_person)
