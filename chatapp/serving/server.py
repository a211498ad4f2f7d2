"""Serving and graceful shutdown: with eventlet's server, or with Werkzeug's where threads are not green."""

import gc
import json
import os
import random
import resource
import signal
import socket
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import structlog
from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from chatapp.accounts.setup import find_setup_path
from chatapp.assistants.worker import EXTENSION as ANSWER_WORKER
from chatapp.assistants.worker import AnswerWorker
from chatapp.backup.lock import share_lock
from chatapp.concurrency.native import is_green
from chatapp.concurrency.supervision import EXTENSION as SUPERVISOR
from chatapp.concurrency.supervision import OnFailure, Supervisor
from chatapp.config import Settings, http_address
from chatapp.errors import Conflict
from chatapp.extensions import db
from chatapp.http_server.connections import HttpConnections
from chatapp.limits.networks import is_loopback
from chatapp.presentation.templates import load_templates
from chatapp.realtime.application import get_realtime
from chatapp.serving.background import start_background
from chatapp.serving.startup import prepare_database
from chatapp.storage import EXTENSION as WRITER
from chatapp.storage import Writer
from chatapp.telemetry.metrics import EXTENSION as METRICS
from chatapp.telemetry.metrics import Metrics
from chatapp.web.security import security_headers

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from chatapp.http_server.polling import ChatFirst

log = structlog.get_logger(__name__)

WRITER_STOP_SECONDS = 7.0
"""Time that the writer has to commit the queued changes at a shutdown."""

FLUSH_SECONDS = 0.2
"""Time to send acknowledgements, and later closing packets, before the process ends."""

RECONNECT_MS = (500, 5_000)
"""Range of the random delay after which a client reconnects, so that clients do not all reconnect at once."""

FULL_COLLECTION_FACTOR = 10
"""Full garbage collections are so many times rarer than by default: one for each 770,000 objects that remain."""

SPARE_CONNECTIONS = 100
"""Connections that may be open for a moment beyond the limit, until they are refused or closed."""

SPARE_FILES = 300
"""Open files besides the connections: the database, logs, webhooks, models."""


class RequestGate:
    """WSGI middleware that refuses new requests until the server is ready, and again when it stops.

    Stopping eventlet's accept loop instead would close the sockets before they receive when to reconnect.
    """

    def __init__(self, app: Flask, settings: Settings) -> None:
        self._app = app
        self._headers = security_headers(settings).items()
        self._reason: str | None = "chatapp is starting."
        self._has_sockets = False

    def wait(self, reason: str) -> None:
        """Refuse requests with `reason` until `open` is called."""
        self._reason = reason

    def open(self) -> None:
        """Pass requests to the application from now on."""
        self._reason, self._has_sockets = None, True

    def close(self) -> None:
        """Refuse new requests from now on; open sockets continue."""
        self._reason = "chatapp is being restarted."

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Pass a request to the application, or refuse it."""
        if self._reason is None or (self._has_sockets and "sid=" in environ.get("QUERY_STRING", "")):
            return self._app(environ, start_response)
        headers = [*self._headers, ("Retry-After", "5"), ("Connection", "close")]
        if environ.get("PATH_INFO") == "/health":
            start_response("503 Service Unavailable", [("Content-Type", "application/json"), *headers])
            return [json.dumps({"status": "unavailable", "reason": self._reason}).encode()]
        # Browsers repeat the request by themselves.
        start_response(
            "503 Service Unavailable", [("Content-Type", "text/plain; charset=utf-8"), ("Refresh", "5"), *headers]
        )
        return [self._reason.encode()]


def serve(app: Flask, settings: Settings, *, upgrade: bool = False) -> None:
    """Serve the application until SIGTERM or SIGINT. Prints the address once requests are accepted.

    Until the database responds, `/health` and all other requests get 503 with the reason. With `upgrade` its schema is
    upgraded if necessary.
    """
    _warn_about_cookies(settings)
    if not is_green():
        _require_loopback(settings)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: os._exit(0))  # Nothing is to be saved yet.
    try:
        share_lock(settings.data_dir)
    except Conflict as error:
        sys.exit(error.message)
    gate = RequestGate(app, settings)
    try:
        host, port = _listen_with_eventlet(app, settings, gate) if is_green() else _listen(app, settings, gate)
    except OSError as error:
        sys.exit(f"chatapp cannot listen on {settings.host}:{settings.port}: {error.strerror}. Set HOST or PORT.")
    load_templates(app)
    prepare_database(app, gate.wait, upgrade=upgrade)
    start_background(app, settings)
    _postpone_full_collections()
    gate.open()
    _print_address(app, host, port)
    _wait_for_signal()
    gate.close()
    _stop(app)


def _postpone_full_collections() -> None:
    """Let full garbage collections, which stop the process for 20 ms, be rare and short.

    Beside clients that let the server allocate much there was one every second.
    """
    gc.collect()
    gc.freeze()  # What exists now is never garbage: collections need not traverse it.
    youngest, middle, oldest = gc.get_threshold()
    gc.set_threshold(youngest, middle, oldest * FULL_COLLECTION_FACTOR)


def _warn_about_cookies(settings: Settings) -> None:
    """Log a warning if others can reach the server and its cookies are not restricted to HTTPS."""
    if not settings.secure_cookies and (settings.trusted_proxies or not is_loopback(settings.host)):
        log.warning(
            "cookies and passwords can be read on the network: serve HTTPS by a proxy and set CHATAPP_SECURE_COOKIES",
            host=settings.host,
        )


def _require_loopback(settings: Settings) -> None:
    """Refuse to serve other machines with Werkzeug's server, which limits neither connections nor requests."""
    if settings.trusted_proxies or not is_loopback(settings.host):
        sys.exit(
            "CHATAPP_ASYNC_MODE=threading is for development: it limits neither connections nor requests, so it serves "
            "this machine only. Set HOST=127.0.0.1 and no CHATAPP_TRUSTED_PROXIES, or unset CHATAPP_ASYNC_MODE."
        )
    log.warning("CHATAPP_ASYNC_MODE=threading is for development only")


def _listen_with_eventlet(app: Flask, settings: Settings, gate: RequestGate) -> tuple[str, int]:
    """Start the HTTP server, and return its address."""
    import eventlet
    import eventlet.wsgi

    from chatapp.http_server.listener import FairListener
    from chatapp.http_server.protocol import make_protocol

    connections = HttpConnections(settings)
    metrics: Metrics = app.extensions[METRICS]
    metrics.count_connections = lambda: connections.count
    protocol = make_protocol(
        connections,
        _serve_chat_first(),
        timeout_seconds=settings.http_timeout_seconds,
        keep_alive_seconds=settings.keep_alive_seconds,
    )
    _raise_file_limit(settings.max_connections)
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # With `reuse_port` a second server on the same port would get a share of the first one's connections.
    listener = eventlet.listen((settings.host, settings.port), family=family, backlog=1024, reuse_port=False)
    # Send small frames at once. Accepted connections inherit the option.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # `HttpConnections` enforces the limit. The spare threads refuse connections, and end those that were closed.
    options = {
        "max_size": settings.max_connections + SPARE_CONNECTIONS,
        "protocol": protocol,
        "log_output": False,
        "debug": False,  # Clients must not see tracebacks.
    }
    supervisor: Supervisor = app.extensions[SUPERVISOR]
    run = partial(eventlet.wsgi.server, FairListener(listener), gate, **options)
    supervisor.start("http server", run, on_failure=OnFailure.END_PROCESS)
    return settings.host, listener.getsockname()[1]


def _serve_chat_first() -> "ChatFirst":
    """Let the event loop serve sockets of chat before HTTP connections."""
    from eventlet.hubs import get_hub

    from chatapp.http_server.polling import ChatFirst

    chat_first = ChatFirst()
    hub = get_hub()
    if hasattr(hub, "do_poll"):  # On Linux. On macOS all are served alike.
        poll = hub.do_poll
        hub.do_poll = lambda seconds: chat_first.select(poll(seconds))
    return chat_first


def _raise_file_limit(max_connections: int) -> None:
    """Raise the limit of open files if permitted; log a warning if it is too low for so many connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = max_connections + SPARE_FILES
    if soft != resource.RLIM_INFINITY and soft < needed:
        allowed = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
        if allowed < needed:
            log.warning(
                "fewer connections than CHATAPP_MAX_CONNECTIONS: raise the limit of open files (ulimit -n)",
                wanted=max_connections,
                possible=allowed - SPARE_FILES,
            )


def _listen(app: Flask, settings: Settings, gate: RequestGate) -> tuple[str, int]:
    """Start the HTTP server of the standard library, and return its address."""
    from werkzeug.serving import make_server

    server = make_server(settings.host, settings.port, gate, threaded=True)
    supervisor: Supervisor = app.extensions[SUPERVISOR]
    supervisor.start("http server", server.serve_forever, on_failure=OnFailure.END_PROCESS)
    return settings.host, server.port


def _print_address(app: Flask, host: str, port: int) -> None:
    """Print the server's address, and the setup link as long as there is no account."""
    address = http_address(host, port)
    lines = [f"chatapp is ready on {address}"]
    # Without the database, `/setup` explains how to print the link later.
    with app.app_context(), suppress(SQLAlchemyError):
        if path := find_setup_path(db.session()):
            lines.append(f"Create the owner's account: {address}{path}")
    print("\n".join(lines), flush=True)


def _wait_for_signal() -> None:
    # A handler in Python would not wake an event loop that waits for its sockets; a byte in a socket does.
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    signal.set_wakeup_fd(writer.fileno())  # First: a signal before it would be lost.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: None)
    reader.recv(1)


def _stop(app: Flask) -> None:
    """Commit queued changes, ask the clients to reconnect later, and end the process."""
    log.info("stopping")
    server = get_realtime(app).server
    sids = [sid for sid, _ in server.manager.get_participants("/", None)]
    for sid in sids:
        server.emit("restarting", {"reconnect_after": random.randint(*RECONNECT_MS)}, to=sid)  # noqa: S311 - no secret
    answer_worker: AnswerWorker = app.extensions[ANSWER_WORKER]
    answer_worker.stop()
    writer: Writer = app.extensions[WRITER]
    writer.stop(WRITER_STOP_SECONDS)
    writer.flush_watermarks()
    time.sleep(FLUSH_SECONDS)
    for sid in sids:
        server.disconnect(sid)
    time.sleep(FLUSH_SECONDS)
    log.info("stopped")
    # A regular exit would block on threads that wait for work.
    os._exit(0)
