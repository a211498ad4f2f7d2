"""Native threads for blocking calls, which would stop eventlet's event loop: fsync, SQLite, password hashes.

Each kind of work has threads of its own, so that no kind waits for another. A native thread does not make Python code
run beside the event loop: only calls that release the interpreter's lock belong here. Work that computes on people's
text runs in a process of its own (`chatapp/concurrency/worker_processes.py`).
"""

import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, ParamSpec, TypeVar

from flask import Flask, current_app

from chatapp.concurrency.switching import short_interval
from chatapp.errors import Busy

P = ParamSpec("P")
T = TypeVar("T")

EXTENSION = "chatapp.native_pools"
"""Key of the application's `NativePools` in `app.extensions`."""

BACKGROUND_NICENESS = 10
"""Niceness of background threads: they get a tenth of a processor that the event loop keeps busy."""


def is_green() -> bool:
    """Return whether threads are green: in a server with eventlet (`wsgi.py`), not in commands of the shell."""
    # Asked for each message: an import statement would take most of the time.
    patcher = sys.modules.get("eventlet.patcher")
    return patcher is not None and bool(patcher.is_monkey_patched("thread"))


def new_shared_lock() -> Any:
    """Return a reentrant lock that native threads and the event loop may share.

    A native thread that waits for a green lock waits for ever: its holder cannot wake it. The event loop must hold this
    one only for a moment, and must not yield meanwhile.
    """
    if not is_green():
        return threading.RLock()
    from eventlet import patcher

    return patcher.original("_thread").RLock()


class NativePool:
    """Native threads for one kind of blocking work, started at the first call.

    At most `max_queued` further calls wait for a thread; without it, any number. On Linux, a background pool leaves the
    processor to other threads while they need it.
    """

    def __init__(self, name: str, *, threads: int, max_queued: int | None = None, is_background: bool = False) -> None:
        self.name = name
        self._threads = threads
        self._is_background = is_background
        self._max_calls = None if max_queued is None else threads + max_queued
        self._calls = 0
        self._lock = threading.Lock()
        self._turns = threading.Semaphore(threads)
        self._green_pool: _GreenPool | None = None

    @property
    def calls(self) -> int:
        """The number of calls that run or wait."""
        return self._calls

    def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work` on a native thread, and return or raise what it does. Raises `Busy` when too many calls wait.

        Where threads are not green, `work` runs on the caller's thread. It must not use anything green: it must not
        wait for a lock, a queue or a socket of the event loop, or call `run`. It may log.
        """
        with self._lock:
            if self._max_calls is not None and self._calls >= self._max_calls:
                raise Busy("The server is busy. Try again in a moment.")
            self._calls += 1
        try:
            if is_green():
                if self._green_pool is None:
                    self._green_pool = _GreenPool(self.name, self._threads, is_background=self._is_background)
                with short_interval():
                    return self._green_pool.run(partial(work, *args, **kwargs))
            with self._turns:
                return work(*args, **kwargs)
        finally:
            with self._lock:
                self._calls -= 1


class _Call(Generic[T]):
    """A call on a native thread, and the event that wakes the green thread that waits for it."""

    __slots__ = ("_work", "error", "event", "result")

    def __init__(self, work: Callable[[], T], event: Any) -> None:
        self._work = work
        self.event = event
        self.result: T
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.result = self._work()
        except BaseException as error:
            self.error = error


class _GreenPool:
    """Native threads that green threads wait for. `eventlet.tpool` has one pool of threads for all work."""

    def __init__(self, name: str, threads: int, *, is_background: bool) -> None:
        from eventlet import greenio, greenthread, patcher

        native_threading, native_socket = patcher.original("threading"), patcher.original("socket")
        self._is_background = is_background
        self._requests = patcher.original("queue").SimpleQueue()
        self._finished: deque[_Call[Any]] = deque()
        reader, self._waker = native_socket.socketpair()
        self._reader = greenio.GreenSocket(reader)
        for number in range(threads):
            native_threading.Thread(target=self._serve, name=f"{name}-{number}", daemon=True).start()
        greenthread.spawn_n(self._deliver)

    def run(self, work: Callable[[], T]) -> T:
        from eventlet.event import Event

        call = _Call(work, Event())
        self._requests.put(call)
        call.event.wait()
        if call.error is not None:
            try:
                raise call.error
            finally:
                del call  # Otherwise the error's traceback refers to the call, and the call to the error.
        return call.result

    def _serve(self) -> None:
        """Run calls, on a native thread."""
        if self._is_background and sys.platform == "linux":  # Elsewhere it would apply to the whole process.
            os.nice(BACKGROUND_NICENESS)
        while True:
            call = self._requests.get()
            call.run()
            self._finished.append(call)
            del call  # Do not keep its result until the next call.
            self._waker.sendall(b".")

    def _deliver(self) -> None:
        """Wake the green threads whose calls have finished, on the event loop."""
        while self._reader.recv(1_024):
            while self._finished:
                self._finished.popleft().event.send()


@dataclass(frozen=True, slots=True)
class NativePools:
    """The pools of an application. The writer and its probe have threads of their own besides."""

    reads: NativePool
    """Pages of messages and catch-ups from SQLite."""
    searches: NativePool
    """Searches in SQLite, which take longer."""
    passwords: NativePool
    archive: NativePool
    """Files of the message archive."""
    files: NativePool
    """Files of messages, and uploads."""
    storing: NativePool
    """Storing complete files, which computes: hashing and encrypting them. In the background."""
    bucket: NativePool
    """Checking the bucket, and moving files to it, which takes long."""

    def __iter__(self) -> Iterator[NativePool]:
        """Yield the pools."""
        return iter((self.reads, self.searches, self.passwords, self.archive, self.files, self.storing, self.bucket))

    @classmethod
    def create(
        cls, *, read_threads: int, search_threads: int, password_threads: int, file_threads: int, max_queued: int
    ) -> "NativePools":
        """Create the pools. In each of them, at most `max_queued` calls wait for a thread."""
        return cls(
            NativePool("reads", threads=read_threads, max_queued=max_queued),
            NativePool("searches", threads=search_threads, max_queued=max_queued),
            NativePool("passwords", threads=password_threads, max_queued=max_queued),
            NativePool("archive", threads=1, max_queued=max_queued),
            NativePool("files", threads=file_threads),  # Each connection has one call, and those are limited.
            NativePool("storing", threads=2, is_background=True),
            NativePool("bucket", threads=2),
        )


def current_pools() -> NativePools:
    """Return the pools of the current application."""
    return get_pools(current_app)


def get_pools(app: Flask) -> NativePools:
    """Return the pools of an application."""
    pools: NativePools = app.extensions[EXTENSION]
    return pools


class Interrupted(Exception):
    """The body of `Interruption.ends` was interrupted."""


class Interruption:
    """Ends what another green thread waits for, such as a response that nobody needs any more."""

    def __init__(self) -> None:
        self._is_set = False
        self._interrupt: Callable[[], None] | None = None

    def set(self) -> None:
        """Interrupt the body of `ends`, and each later one."""
        self._is_set = True
        if self._interrupt is not None:
            self._interrupt()

    @contextmanager
    def ends(self) -> Iterator[None]:
        """Raise `Interrupted` when `set` was called before the body, or while it waits.

        Like `time_limit`, it interrupts waiting only on green threads.
        """
        if self._is_set:
            raise Interrupted
        if not is_green():
            yield
            return
        from eventlet import getcurrent, hubs

        thread, timers = getcurrent(), list[Any]()
        self._interrupt = lambda: timers.append(hubs.get_hub().schedule_call_global(0, thread.throw, Interrupted()))
        try:
            yield
        finally:
            self._interrupt = None
            for timer in timers:
                timer.cancel()


class TimeLimitExceeded(Exception):
    """The body of a `time_limit` did not end in time."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise `TimeLimitExceeded` if the body has not ended after `seconds`, whatever it waits for.

    Time-outs of sockets limit each read: a peer that sends a byte before each of them expires holds the reader forever.
    The limit interrupts waiting, not computing, and only on green threads: others need time-outs of their own as well.
    """
    if not is_green():
        yield
        return
    from eventlet import Timeout

    timeout = Timeout(max(seconds, 0.0))
    try:
        yield
    except Timeout as expired:
        if expired is not timeout:
            raise
        raise TimeLimitExceeded(f"not finished after {seconds:g} seconds") from None
    finally:
        timeout.cancel()
