"""Worker processes for work that computes on people's text, with limits of time and memory.

A native thread would not do: Python runs one thread at a time, so that such work would stop the event loop. The pools
of processes that exist (`concurrent.futures`, pebble, loky) hang where eventlet has patched the standard library;
`subprocess` works there, and `kill` ends work of any kind.
"""

import json
import os
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import structlog

from chatapp.errors import Busy, Internal, StorageFull, TooComplex

log = structlog.get_logger(__name__)

ROOT = Path(__file__).resolve().parent.parent.parent

IDLE_SECONDS = 60.0
"""Time without work after which a process ends, to free its memory."""

MAX_REQUESTS = 100
"""Requests after which a process is replaced, so that a leak in a library does no harm."""

DONE, DISK_FULL, FAILED = b"d", b"s", b"f"
"""Statuses of responses; `workers/__main__.py` has all."""

ENDED = b"e"
"""The status of a request without a response: the process was killed, or exceeded a limit."""

ENVIRONMENT = {"HOME", "LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "PATH", "PYTHONPATH", "TMPDIR", "TZ"}
"""Variables that a process gets: no settings, as some are secrets."""

LENGTH = struct.Struct(">I")


class _WorkerEnded(Exception):
    """The process ended, or was killed, before it had responded."""


class _Worker:
    """One process."""

    def __init__(self, program: str, *, memory_mb: int, timeout_seconds: float) -> None:
        self.requests = 0
        self.idle_since = 0.0
        # Not pipes: eventlet waits for ever when it writes to a pipe that nobody reads any more.
        self._socket, other_end = socket.socketpair()
        os.set_blocking(other_end.fileno(), True)  # Eventlet makes both ends non-blocking.
        with other_end:
            self._process: subprocess.Popen[bytes] = subprocess.Popen(  # noqa: S603 - the arguments are chatapp's own
                [sys.executable, "-m", "workers", program, str(memory_mb), str(timeout_seconds)],
                cwd=ROOT,
                env={name: value for name, value in os.environ.items() if name in ENVIRONMENT},
                stdin=other_end.fileno(),
                stdout=other_end.fileno(),
                stderr=subprocess.DEVNULL,  # A traceback could quote messages.
                # Ctrl-C in a terminal is for the server. In a session of its own its low priority would have no effect:
                # Linux shares a processor equally between sessions (sched(7), "The autogroup feature").
                process_group=0,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def request(self, body: bytes) -> tuple[bytes, bytes]:
        """Return status and content of the response. Raises `_WorkerEnded`."""
        self.requests += 1
        try:
            self._socket.sendall(LENGTH.pack(len(body)) + body)
            status = self._read(1)
            return status, self._read(*LENGTH.unpack(self._read(LENGTH.size)))
        except OSError as error:
            raise _WorkerEnded from error

    def kill(self) -> None:
        """End the process, whatever it does: `request` then raises `_WorkerEnded`."""
        self._process.kill()

    def close(self) -> None:
        """End the process, and wait until it has ended."""
        self.kill()
        self._process.wait()
        self._socket.close()

    def _read(self, size: int) -> bytes:
        content = b""
        while len(content) < size:
            if not (part := self._socket.recv(min(size - len(content), 65_536))):
                raise _WorkerEnded
            content += part
        return content


class WorkerPool:
    """Processes of one program, started when they are needed. At most `max_queued` further requests wait for one."""

    def __init__(
        self, program: str, *, processes: int, max_queued: int, memory_mb: int, timeout_seconds: float
    ) -> None:
        self._program = program
        self._max_requests = processes + max_queued
        self._memory_mb = memory_mb
        self._timeout_seconds = timeout_seconds
        self._requests = 0
        self._idle: list[_Worker] = []
        self._lock = threading.Lock()
        self._turns = threading.Semaphore(processes)

    @property
    def calls(self) -> int:
        """The number of requests that run or wait."""
        return self._requests

    def check_capacity(self) -> None:
        """Raise `Busy` when `run` would, for callers that prepare its arguments at some cost."""
        if self._requests >= self._max_requests:
            raise Busy("The server is busy. Try again in a moment.")

    def run(self, **arguments: object) -> bytes:
        """Call the program's function `run` in a process, and return its result.

        Raises `Busy` when too many requests wait, and `TooComplex` when the limit of time or memory is exceeded: then
        the process is killed, and the next request gets another one. Raises `StorageFull` if the disk was full.
        """
        with self._lock:
            self.check_capacity()
            self._requests += 1
        try:
            with self._turns:
                return self._request(json.dumps(arguments).encode())
        finally:
            with self._lock:
                self._requests -= 1

    def list_idle_pids(self) -> list[int]:
        """Return the ids of the processes that wait for a request."""
        with self._lock:
            return [worker.pid for worker in self._idle]

    def close(self) -> None:
        """End the idle processes."""
        with self._lock:
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.close()

    def _request(self, body: bytes) -> bytes:
        worker = self._take()
        timer = threading.Timer(self._timeout_seconds, worker.kill)
        timer.daemon = True
        timer.start()
        is_done = False
        try:
            status, content = worker.request(body)
            is_done = status == DONE
        except _WorkerEnded:
            status, content = ENDED, b""
        finally:
            timer.cancel()
            if is_done and worker.requests < MAX_REQUESTS:
                self._keep(worker)
            else:
                worker.close()
        if is_done:
            return content
        log.warning("worker process failed", program=self._program, status=status.decode(), error=content.decode())
        if status == DISK_FULL:
            raise StorageFull
        if status == FAILED:
            raise Internal("Something went wrong on the server. Try again.")
        raise TooComplex("This takes more time or memory than the server allows.")

    def _take(self) -> _Worker:
        while True:
            with self._lock:
                worker = self._idle.pop() if self._idle else None
            if worker is None:
                return _Worker(self._program, memory_mb=self._memory_mb, timeout_seconds=self._timeout_seconds)
            if worker.is_running:
                return worker
            worker.close()

    def _keep(self, worker: _Worker) -> None:
        worker.idle_since = time.monotonic()
        with self._lock:
            self._idle.append(worker)
        timer = threading.Timer(IDLE_SECONDS, self._close_idle)
        timer.daemon = True
        timer.start()

    def _close_idle(self) -> None:
        """End the processes that have been idle for long."""
        before = time.monotonic() - 0.9 * IDLE_SECONDS
        with self._lock:
            expired = [worker for worker in self._idle if worker.idle_since < before]
            self._idle = [worker for worker in self._idle if worker not in expired]
        for worker in expired:
            worker.close()
