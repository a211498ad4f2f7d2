"""Which sockets the event loop serves first: those of chat before HTTP connections.

In each iteration the event loop serves all sockets that have data. Green threads that store and deliver messages wait
meanwhile: a client that opens or closes hundreds of connections at once would stop them for 50 ms. A message needs
several iterations until it is stored and delivered, so while messages are stored, an iteration that has taken long is
followed by one that serves fewer HTTP connections. While a commit runs, on its native thread, the event loop leaves the
processor and the interpreter to it before it serves a single HTTP connection.
"""

import time
from collections.abc import Callable, Sequence

from chatapp.concurrency.cooperation import is_quiet, is_urgent

SERVED_AT_ONCE = 8
"""HTTP connections that are served in one iteration of the event loop, at most."""

ITERATION_SECONDS = 0.002
"""Time of an iteration after which the next one serves fewer."""

PAUSE_SECONDS = 0.0005
"""Pause of the event loop before an HTTP connection is served while a commit runs."""

QUIET_SECONDS = 1.0
"""Time without messages after which iterations may be long."""

Ready = Sequence[tuple[int, int]]
"""Descriptors with their events."""


class ChatFirst:
    """Selects all sockets of chat that are ready, and some of the HTTP connections, in turn.

    The event loop must ask for readiness by level: what is not selected is ready in its next iteration, too.
    """

    def __init__(self) -> None:
        self._http: set[int] = set()
        self._turn = 0
        self._served_at_once = SERVED_AT_ONCE
        self._began_at = 0.0
        """Begin of the current iteration, after the event loop has waited."""

    def add(self, fd: int) -> None:
        """Serve a descriptor after others from now on."""
        self._http.add(fd)

    def discard(self, fd: int) -> None:
        """Serve a descriptor at once from now on. Call it at the latest when the descriptor has been closed."""
        self._http.discard(fd)

    def poll(self, wait: Callable[[float], Ready], pause: Callable[[float], object], seconds: float) -> Ready:
        """End an iteration and begin the next: call `wait(seconds)`, and return those that `select` selects.

        `pause` stops the thread of the event loop for so many seconds, not only a green thread.
        """
        self.adapt(time.perf_counter() - self._began_at, is_quiet=is_quiet(QUIET_SECONDS))
        ready = wait(seconds)
        if is_urgent() and ready and all(fd in self._http for fd, _ in ready):
            pause(PAUSE_SECONDS)
            ready = wait(0)
            self._served_at_once = 1
        self._began_at = time.perf_counter()
        return self.select(ready)

    def adapt(self, seconds: float, *, is_quiet: bool) -> None:
        """Serve fewer at once if an iteration has taken too long, more if it has not, and all that may be if quiet."""
        if is_quiet:
            self._served_at_once = SERVED_AT_ONCE
        elif seconds > ITERATION_SECONDS:
            self._served_at_once = max(1, self._served_at_once // 2)
        else:
            self._served_at_once = min(SERVED_AT_ONCE, self._served_at_once + 1)

    def select(self, ready: Ready) -> Ready:
        """Return the descriptors to serve, of those that are ready, with their events."""
        limit = self._served_at_once
        if len(ready) <= limit:
            return ready
        http = [each for each in ready if each[0] in self._http]
        if len(http) <= limit:
            return ready
        # The system returns descriptors that stay ready in the same order again.
        self._turn = (self._turn + limit) % len(http)
        served = [*http[self._turn :], *http[: self._turn]][:limit]
        return [*(each for each in ready if each[0] not in self._http), *served]
