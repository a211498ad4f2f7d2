"""Listening: with eventlet's own server, or with Werkzeug's where threads are real."""

import socket

from flask import Flask

from chatapp.background import start_background
from chatapp.config import Settings
from chatapp.native import is_green


def serve(app: Flask, settings: Settings) -> None:
    """Serve the application until the process ends. Says on standard output where, once connections are taken."""
    start_background(app, settings)
    if is_green():
        _serve_with_eventlet(app, settings)
    else:
        _serve_with_threads(app, settings)


def _serve_with_eventlet(app: Flask, settings: Settings) -> None:
    import eventlet
    import eventlet.wsgi

    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = eventlet.listen((settings.host, settings.port), family=family, backlog=1024)
    # Small frames are sent as they come; accepted connections inherit it.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    _say_ready(settings.host, listener.getsockname()[1])
    # The default of 1,024 connections leaves the next one hanging.
    eventlet.wsgi.server(listener, app, max_size=20_000, log_output=False)


def _serve_with_threads(app: Flask, settings: Settings) -> None:
    from werkzeug.serving import make_server

    server = make_server(settings.host, settings.port, app, threaded=True)
    _say_ready(settings.host, server.port)
    server.serve_forever()


def _say_ready(host: str, port: int) -> None:
    shown = f"[{host}]" if ":" in host else host
    print(f"chatapp is ready on http://{shown}:{port}", flush=True)
