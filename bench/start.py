"""Start: time from the start of the server to its first page, against a process that only imports the libraries.

The server starts as `bin/serve` starts it after the set-up: it checks the schema of the database, and serves. The page
is the general chat, for a person who is signed in. A first start, which creates the database, is measured too. The
sides alternate on one core.
"""

import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import requests

from bench.installation import LOAD_CORE, SERVER_CORE, processor_seconds
from bench.report import Figure
from tests.harness import ROOT
from tests.harness.people import Person
from tests.harness.servers import Server

ROUNDS = 5
PYTHON = ("taskset", "-c", str(SERVER_CORE), sys.executable)
IMPORTS = "import flask, flask_socketio, eventlet, sqlalchemy"

Cost = tuple[float, float]
"""Seconds, and seconds of processor time."""


def run() -> Sequence[Figure]:
    """Measure a start, a first start and the imports alternately."""
    os.sched_setaffinity(0, {LOAD_CORE})
    starts: list[Cost] = []
    first_starts: list[Cost] = []
    imports: list[Cost] = []
    with TemporaryDirectory() as folder:
        server = Server(Path(folder, "data"), CHATAPP_LOG_LEVEL="WARNING")
        server.flask("db", "upgrade")
        cookie = Person(server.start(), "owner").set_up().cookie
        server.terminate()
        _start(server, cookie)  # Compiles what is not compiled yet.
        for number in range(ROUNDS):
            starts.append(_start(server, cookie))
            imports.append(_import())
            first_starts.append(_start(Server(Path(folder, f"new-{number}"), CHATAPP_LOG_LEVEL="WARNING")))
    return [
        Figure.of(
            name + what, "s", ("chatapp", [cost[pick] for cost in costs]), ("imports", [c[pick] for c in imports])
        )
        for name, costs in (("start", starts), ("first start", first_starts))
        for pick, what in enumerate(("", ", CPU"))
    ]


def _start(server: Server, cookie: str = "") -> Cost:
    """Start a server, request a page, and stop the server."""
    start = time.monotonic()
    with subprocess.Popen(
        [*PYTHON, "wsgi.py", "--upgrade"], cwd=ROOT, env=server.environment, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            while not (line := process.stdout.readline()).startswith("chatapp is ready on "):
                assert line, "the server has ended"
            response = requests.get(server.url, headers={"Cookie": cookie}, timeout=30)
            seconds, processor = time.monotonic() - start, processor_seconds(process.pid)
            # Before the first account is created, the page says where to find the link for that.
            assert response.ok or not cookie, response.text
        finally:
            process.terminate()
    return seconds, processor


def _import() -> Cost:
    """Import the libraries that make most of the start."""
    start, before = time.monotonic(), _children_seconds()
    subprocess.run([*PYTHON, "-W", "ignore", "-c", IMPORTS], check=True)
    return time.monotonic() - start, _children_seconds() - before


def _children_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
