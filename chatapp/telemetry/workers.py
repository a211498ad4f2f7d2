"""Metrics of all workers in one response, and the status of each at a Unix socket of its own in the data folder.

Whichever worker gets a request for `/metrics` reads those of the others from their sockets, and adds the label `worker`
to each value. Only the user that chatapp runs as can connect to the sockets.
"""

import socket
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from chatapp.config import Settings
from chatapp.telemetry.health import HEALTH_PATHS

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = structlog.get_logger(__name__)

STATUS_PATHS = (*sorted(HEALTH_PATHS), "/metrics")
"""What a worker serves at its socket."""

IS_STATUS_REQUEST = "chatapp.is_status_request"
"""Key of the WSGI environment: the request has come to the worker's socket, and concerns this worker only."""

READ_SECONDS = 2.0
"""Time that the other workers have to respond."""

WORKER_UP = "chatapp_worker_up"


def socket_path(settings: Settings, worker: int) -> Path:
    """Return the path of a worker's socket."""
    return settings.data_dir / f"worker-{worker}.sock"


def listen_for_status(settings: Settings, worker: int) -> socket.socket | None:
    """Return a socket that listens for requests about this worker; None if its path is too long.

    It takes the place of the socket of a worker with this number that is being replaced.
    """
    path = socket_path(settings, worker)
    listener = socket.socket(socket.AF_UNIX)
    try:
        path.unlink(missing_ok=True)
        listener.bind(str(path))
    except OSError as error:
        listener.close()
        log.warning("no metrics of this worker at the others: choose a shorter CHATAPP_DATA_DIR", reason=str(error))
        return None
    listener.listen()
    return listener


class StatusApp:
    """WSGI application at the socket of a worker."""

    def __init__(self, app: "WSGIApplication") -> None:
        self._app = app

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Serve the health or the metrics of this worker."""
        if environ.get("PATH_INFO") not in STATUS_PATHS:
            start_response("404 Not Found", [("Content-Type", "text/plain; charset=utf-8")])
            return [f"This socket serves {', '.join(STATUS_PATHS)}.\n".encode()]
        environ |= {IS_STATUS_REQUEST: True, "HTTP_HOST": "localhost", "REMOTE_ADDR": "127.0.0.1"}
        return self._app(environ, start_response)


def merge_metrics(settings: Settings, own: str) -> str:
    """Return the metrics of all workers, of which `own` are those of this one."""
    texts = dict(sorted({**read_other_workers(settings), settings.worker or 0: own}.items()))
    up = "".join(f'{WORKER_UP}{{worker="{worker}"}} {float(worker in texts)}\n' for worker in range(settings.workers))
    header = f"# HELP {WORKER_UP} Whether the worker responds.\n# TYPE {WORKER_UP} gauge\n"
    return "".join(join_families(texts)) + header + up


def join_families(texts: Mapping[int, str]) -> Iterator[str]:
    """Yield the lines of metrics by workers: those of each metric together, as the format requires."""
    headers: dict[str, list[str]] = {}
    samples: dict[str, list[str]] = {}
    for worker, text in texts.items():
        family = ""
        for line in text.splitlines(keepends=True):
            if line.startswith("#"):
                kind, family = line.split(" ", 3)[1:3]
                lines = headers.setdefault(family, [])
                if not any(header.startswith(f"# {kind} ") for header in lines):
                    lines.append(line)
            else:
                samples.setdefault(family, []).append(_add_worker(line, worker))
    for family, lines in headers.items():
        yield from lines
        yield from samples.get(family, ())


def _add_worker(line: str, worker: int) -> str:
    """Add the label of the worker to a sample."""
    name, brace, labels = line.partition("{")
    if brace:
        return f'{name}{{worker="{worker}",{labels}'
    name, _, value = line.partition(" ")
    return f'{name}{{worker="{worker}"}} {value}'


def read_other_workers(settings: Settings) -> dict[int, str]:
    """Return the metrics of the other workers that respond in time."""
    connections: dict[int, socket.socket] = {}
    texts: dict[int, str] = {}
    deadline = time.monotonic() + READ_SECONDS
    try:
        for worker in set(range(settings.workers)) - {settings.worker}:
            with suppress(OSError):
                connection = connections[worker] = socket.socket(socket.AF_UNIX)
                connection.settimeout(READ_SECONDS)
                connection.connect(str(socket_path(settings, worker)))
                connection.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        for worker, connection in connections.items():
            with suppress(OSError):
                header, _, body = _read_to_end(connection, deadline).partition(b"\r\n\r\n")
                if b" 200 " in header.partition(b"\r\n")[0]:
                    texts[worker] = body.decode()
    finally:
        for connection in connections.values():
            connection.close()
    return texts


def _read_to_end(connection: socket.socket, deadline: float) -> bytes:
    content = bytearray()
    while True:
        connection.settimeout(max(0.001, deadline - time.monotonic()))
        received = connection.recv(65_536)
        if not received:
            return bytes(content)
        content += received
