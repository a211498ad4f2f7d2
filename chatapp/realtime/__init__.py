"""Socket.IO, kept thin: events come in and call the core, the core's signals go out."""

from flask import Flask

from chatapp.config import Settings
from chatapp.extensions import socketio
from chatapp.realtime import assistants as assistants
from chatapp.realtime import conversations as conversations
from chatapp.realtime import read_state as read_state
from chatapp.realtime import typing as typing
from chatapp.realtime.connection import find_person, init_connection
from chatapp.realtime.handlers import list_events, serve_events
from chatapp.socket_engine import init_engine


def init_realtime(app: Flask, settings: Settings) -> None:
    """Serve Socket.IO to pages of our own origin."""
    init_engine(app, socketio, settings, list_events())
    init_connection(app)
    serve_events(app, socketio.server, find_person)
