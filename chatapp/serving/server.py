"""Serving and graceful shutdown: with eventlet's server, or with Werkzeug's where threads are not green.

A worker (`bin/serve --workers N`) accepts connections from a socket that it shares with the others. It does so once it
is ready, and stops before it ends, so that the others get the connections that it could not serve.
"""

import os
import random
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
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
from chatapp.serving.garbage import postpone_full_collections
from chatapp.serving.link import ParentLink
from chatapp.serving.start import listen
from chatapp.serving.startup import prepare_database
from chatapp.storage import EXTENSION as WRITER
from chatapp.storage import Writer
from chatapp.telemetry.health import EXTENSION as HEALTH
from chatapp.telemetry.health import HEALTH_PATHS, RESTARTING, Health
from chatapp.telemetry.metrics import EXTENSION as METRICS
from chatapp.telemetry.metrics import Metrics
from chatapp.telemetry.status.sampler import EXTENSION as SAMPLER
from chatapp.telemetry.status.sampler import Sampler
from chatapp.telemetry.workers import StatusApp, listen_for_status
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

SPARE_CONNECTIONS = 100
"""Connections that may be open for a moment beyond the limit, until they are refused or closed."""

SPARE_FILES = 300
"""Open files besides the connections: the database, logs, webhooks, models."""

GRACE_SECONDS = 1.0
"""Time for which a replaced worker serves requests on connections that are open already, and closes these."""

REQUEST_SECONDS = 5.0
"""Time that requests in progress have to end after that."""

FINISH_SECONDS = 90.0
"""Time for which a replaced worker continues during an outage, to store what it has spooled, and to finish answers."""

REPLACED = b"r"
"""What wakes the main thread when another worker has replaced this one; otherwise it is the number of a signal."""


class RequestGate:
    """WSGI middleware that refuses new requests until the server is ready, and again when it stops.

    Stopping eventlet's accept loop instead would close the sockets before they receive when to reconnect. Health checks
    pass, and report the reason.
    """

    def __init__(self, app: Flask, settings: Settings, health: Health) -> None:
        self._app = app
        self._headers = security_headers(settings).items()
        self._health = health
        self._has_sockets = False
        self.wait("chatapp is starting.")

    def wait(self, reason: str) -> None:
        """Refuse requests with `reason` until `open` is called."""
        self._health.refusal = reason

    def open(self) -> None:
        """Pass requests to the application from now on."""
        self._health.refusal, self._has_sockets = None, True

    def announce_end(self, *, is_replaced: bool) -> None:
        """Report that the process is not ready any more, unless another worker gets the requests to its address."""
        self._health.is_ending = not is_replaced

    def close(self) -> None:
        """Refuse new requests from now on; open sockets continue."""
        self._health.refusal = RESTARTING

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Pass a request to the application, or refuse it."""
        reason = self._health.refusal
        if (
            reason is None
            or environ.get("PATH_INFO") in HEALTH_PATHS
            or (self._has_sockets and "sid=" in environ.get("QUERY_STRING", ""))
        ):
            return self._app(environ, start_response)
        headers = [*self._headers, ("Retry-After", "5"), ("Connection", "close")]
        # Browsers repeat the request by themselves.
        start_response(
            "503 Service Unavailable", [("Content-Type", "text/plain; charset=utf-8"), ("Refresh", "5"), *headers]
        )
        return [reason.encode()]


@dataclass(frozen=True, slots=True)
class HttpServer:
    """A server that can accept connections."""

    host: str
    port: int
    start: Callable[[], object]
    """Accepts connections from now on."""
    stop_accepting: Callable[[], None] | None = None
    """Leaves new connections to other workers. None if there are none."""
    connections: HttpConnections | None = None


def serve(app: Flask, settings: Settings, *, upgrade: bool = False, link: ParentLink | None = None) -> None:
    """Serve the application until SIGTERM or SIGINT. Prints the address once requests are accepted.

    Until the database responds, all requests but `/healthz` get 503 with the reason. With `upgrade` its schema is
    upgraded if necessary. A worker has a `link` to its parent. It serves until it is replaced, too.
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
    gate = RequestGate(app, settings, app.extensions[HEALTH])
    server = _make_server(app, settings, gate, link) if is_green() else _make_native_server(app, settings, gate)
    if link is None or link.is_first:
        server.start()
    load_templates(app)
    prepare_database(app, gate.wait, upgrade=upgrade)
    start_background(app, settings)
    postpone_full_collections()
    gate.open()
    if link is None:
        _print_address(app, server)
    else:
        if not link.is_first:
            server.start()
        _serve_status(app, settings, gate)
        link.report_ready(_find_setup_path(app))
    end = _wait_for_end(app, link)
    gate.announce_end(is_replaced=end.is_replaced)
    if server.stop_accepting is not None and server.connections is not None:
        _leave_to_others(app, server.stop_accepting, server.connections, end)
    gate.close()
    _stop(app)


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


def _make_server(app: Flask, settings: Settings, gate: RequestGate, link: ParentLink | None) -> HttpServer:
    """Return eventlet's server, which listens already. Exits if the address cannot be used."""
    import eventlet.wsgi

    from chatapp.http_server.arrivals import AdmittingListener
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
    listener = FairListener(listen(settings)) if link is None else link.listener
    # `HttpConnections` enforces the limit. The spare threads refuse connections, and end those that were closed.
    options = {
        "max_size": settings.max_connections + SPARE_CONNECTIONS,
        "protocol": protocol,
        "log_output": False,
        "debug": False,  # Clients must not see tracebacks.
    }
    supervisor: Supervisor = app.extensions[SUPERVISOR]
    run = partial(eventlet.wsgi.server, AdmittingListener(listener, connections), gate, **options)

    def start() -> None:
        if link is not None:
            connections.publish = link.loads.publish
            link.loads.publish(0)
        supervisor.start("http server", run, on_failure=OnFailure.END_PROCESS)

    host, port = settings.host, listener.getsockname()[1]
    return HttpServer(host, port, start, link.listener.stop_accepting if link else None, connections)


def _serve_status(app: Flask, settings: Settings, gate: RequestGate) -> None:
    """Serve the health and the metrics of this worker at a socket of its own."""
    import eventlet.wsgi

    health: Health = app.extensions[HEALTH]
    health.worker = settings.worker
    listener = listen_for_status(settings, settings.worker or 0)
    if listener is not None:
        supervisor: Supervisor = app.extensions[SUPERVISOR]
        supervisor.start(
            "worker status", partial(eventlet.wsgi.server, listener, StatusApp(gate), log_output=False, debug=False)
        )


def _serve_chat_first() -> "ChatFirst":
    """Let the event loop serve sockets of chat before HTTP connections."""
    from eventlet import patcher
    from eventlet.hubs import get_hub

    from chatapp.http_server.polling import ChatFirst

    chat_first = ChatFirst()
    hub = get_hub()
    if hasattr(hub, "do_poll"):  # On Linux. On macOS all are served alike.
        hub.do_poll = partial(chat_first.poll, hub.do_poll, patcher.original("time").sleep)
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


def _make_native_server(app: Flask, settings: Settings, gate: RequestGate) -> HttpServer:
    """Return the server of the standard library, which listens already. Exits if the address cannot be used."""
    from werkzeug.serving import make_server

    listener = listen(settings)
    server = make_server(settings.host, settings.port, gate, threaded=True, fd=listener.detach())
    supervisor: Supervisor = app.extensions[SUPERVISOR]
    start = partial(supervisor.start, "http server", server.serve_forever, on_failure=OnFailure.END_PROCESS)
    return HttpServer(settings.host, server.port, start)


def _find_setup_path(app: Flask) -> str | None:
    """Return the path of the setup link as long as there is no account."""
    # Without the database, `/setup` explains how to print the link later.
    with app.app_context(), suppress(SQLAlchemyError):
        return find_setup_path(db.session())
    return None


def _print_address(app: Flask, server: HttpServer) -> None:
    """Print the server's address, and the setup link as long as there is no account."""
    address = http_address(server.host, server.port)
    lines = f"chatapp is ready on {address}\n"
    if path := _find_setup_path(app):
        lines += f"Create the owner's account: {address}{path}\n"
    print(lines, end="", flush=True)  # In one piece: programs wait for the first line, and then read the second one.


@dataclass(frozen=True, slots=True)
class End:
    """Why a process ends."""

    is_replaced: bool
    """Whether another worker has replaced this one."""
    signals: list[int]
    """The signals received, also after that: they leave no time."""


def _wait_for_end(app: Flask, link: ParentLink | None) -> End:
    """Wait for SIGTERM or SIGINT, or for the parent."""
    # A handler in Python would not wake an event loop that waits for its sockets; a byte in a socket does.
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    signal.set_wakeup_fd(writer.fileno())  # First: a signal before it would be lost.
    signals: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _frame: signals.append(number))
    if link is not None:

        def wait_for_parent() -> None:
            writer.send(REPLACED if link.wait() else bytes([signal.SIGTERM]))

        supervisor: Supervisor = app.extensions[SUPERVISOR]
        supervisor.start("parent", wait_for_parent)
    return End(reader.recv(1) == REPLACED, signals)


def _leave_to_others(app: Flask, stop_accepting: Callable[[], None], connections: HttpConnections, end: End) -> None:
    """Let the other workers accept all new connections, and finish the requests that this one has."""
    writer: Writer = app.extensions[WRITER]
    answer_worker: AnswerWorker = app.extensions[ANSWER_WORKER]
    deadline = time.monotonic() + FINISH_SECONDS

    def wait_while(is_busy: Callable[[], object]) -> None:
        while end.is_replaced and not end.signals and is_busy() and time.monotonic() < deadline:
            time.sleep(0.1)

    wait_while(lambda: writer.backlog.since is not None)
    stop_accepting()
    connections.close_after_response()
    answer_worker.stop_claiming()
    wait_while(lambda: answer_worker.running)
    if end.is_replaced:
        time.sleep(GRACE_SECONDS)
    deadline = time.monotonic() + REQUEST_SECONDS
    while connections.requests and time.monotonic() < deadline:
        time.sleep(0.02)
    connections.close_waiting()


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
    sampler: Sampler = app.extensions[SAMPLER]
    sampler.stop()
    time.sleep(FLUSH_SECONDS)
    for sid in sids:
        server.disconnect(sid)
    time.sleep(FLUSH_SECONDS)
    log.info("stopped")
    # A regular exit would block on threads that wait for work.
    os._exit(0)
