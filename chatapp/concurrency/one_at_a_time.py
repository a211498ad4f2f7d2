"""Work that each of its owners may do only once at a time."""

import threading
from collections import deque
from collections.abc import Hashable, Iterator
from contextlib import contextmanager


class SupersededError(Exception):
    """Newer calls of the same owner wait instead."""


class _Call:
    """A call that waits for its turn."""

    __slots__ = ("ended", "is_superseded")

    def __init__(self) -> None:
        self.ended = threading.Event()
        self.is_superseded = False


class OneAtATime:
    """For each owner, one call runs and the newest `max_waiting` ones wait, in their order."""

    def __init__(self, *, max_waiting: int) -> None:
        self._max_waiting = max_waiting
        self._lock = threading.Lock()
        self._waiting: dict[Hashable, deque[_Call]] = {}
        """The calls that wait, for each owner who has one that runs."""

    def is_running(self, owner: Hashable) -> bool:
        """Return whether a call of the owner runs."""
        return owner in self._waiting

    @contextmanager
    def run(self, owner: Hashable) -> Iterator[None]:
        """Run the body of the `with` when no other one of the owner runs.

        Raises `SupersededError` if too many newer ones wait.
        """
        if (call := self._enter(owner)) is not None:
            self._wait(owner, call)
        try:
            yield
        finally:
            self._pass_on(owner)

    def _enter(self, owner: Hashable) -> _Call | None:
        """Take the turn, or return the call that waits for it."""
        with self._lock:
            waiting = self._waiting.get(owner)
            if waiting is None:
                self._waiting[owner] = deque()
                return None
            call = _Call()
            waiting.append(call)
            if len(waiting) > self._max_waiting:
                oldest = waiting.popleft()
                oldest.is_superseded = True
                oldest.ended.set()
            return call

    def _wait(self, owner: Hashable, call: _Call) -> None:
        try:
            call.ended.wait()
        except BaseException:
            # The thread was ended while it waited.
            with self._lock:
                has_turn = call.ended.is_set() and not call.is_superseded
                if not call.ended.is_set():
                    self._waiting[owner].remove(call)
            if has_turn:
                self._pass_on(owner)
            raise
        if call.is_superseded:
            raise SupersededError

    def _pass_on(self, owner: Hashable) -> None:
        with self._lock:
            waiting = self._waiting[owner]
            if waiting:
                waiting.popleft().ended.set()
            else:
                del self._waiting[owner]
