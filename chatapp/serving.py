"""Listening: with eventlet's own server, or with Werkzeug's where threads are real."""

import socket
import sys

from flask import Flask

from chatapp.background import start_background
from chatapp.config import Settings
from chatapp.native import is_green


def serve(app: Flask, settings: Settings) -> None:
    """Serve the application until the process ends. Says on standard output where, once connections are taken."""
    try:
        if is_green():
            _serve_with_eventlet(app, settings)
        else:
            _serve_with_threads(app, settings)
    except OSError as error:
        sys.exit(f"chatapp cannot listen on {settings.host}:{settings.port}: {error.strerror}. Set HOST or PORT.")


def _serve_with_eventlet(app: Flask, settings: Settings) -> None:
    import eventlet
    import eventlet.wsgi

    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # Without `reuse_port=False` a second server on the port would take a share of the first one's connections.
    listener = eventlet.listen((settings.host, settings.port), family=family, backlog=1024, reuse_port=False)
    # Small frames are sent as they come; accepted connections inherit it.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    start_background(app, settings)
    _say_ready(settings.host, listener.getsockname()[1])
    # The default of 1,024 connections leaves the next one hanging.
    eventlet.wsgi.server(listener, app, max_size=20_000, log_output=False)


def _serve_with_threads(app: Flask, settings: Settings) -> None:
    from werkzeug.serving import make_server

    server = make_server(settings.host, settings.port, app, threaded=True)
    start_background(app, settings)
    _say_ready(settings.host, server.port)
    server.serve_forever()


def _say_ready(host: str, port: int) -> None:
    shown = f"[{host}]" if ":" in host else host
    print(f"chatapp is ready on http://{shown}:{port}", flush=True)
