"""Long computations on the event loop, such as the rendering of a page, in short slices.

Green threads switch only where they wait. Within `in_slices` a computation waits for its turn before it begins, and
again at each `checkpoint` after it has computed for `SLICE_SECONDS`. In one iteration of the event loop one computation
gets its turn, so that chat messages wait for one slice, however many pages are requested at the same time. A message
needs several iterations until it is stored and delivered: until then (`begin_urgent`) computations get fewer turns.
"""

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from chatapp.concurrency.native import is_green
from chatapp.concurrency.switching import restore_interval, shorten_interval

SLICE_SECONDS = 0.002

URGENT_PAUSE_SECONDS = 0.05
"""Shortest time between two turns while there is urgent work: beside many messages pages are slow, but not stuck."""

DELIVERY_SECONDS = 0.005
"""Time after urgent work in which its result is sent to many clients: it counts as urgent, too."""

RETRY_SECONDS = 0.001
"""How often it is checked whether the urgent work is done."""


class _Turns:
    """The computations that wait for their turn, in the order of their arrival."""

    def __init__(self) -> None:
        self._waiting: deque[Any] = deque()
        self._is_scheduled = False
        self._last_turn = 0.0
        self._urgent_calls = 0
        self._urgent_until = 0.0

    def begin_urgent(self) -> None:
        """Give fewer turns from now on."""
        self._urgent_calls += 1

    def end_urgent(self, calls: int = 1) -> None:
        """Give more turns again when the result has been sent."""
        self._urgent_calls -= calls
        self._urgent_until = time.perf_counter() + DELIVERY_SECONDS

    @property
    def is_urgent(self) -> bool:
        """Whether there is urgent work that has not ended."""
        return self._urgent_calls > 0

    def is_quiet(self, seconds: float) -> bool:
        """Return whether there has been no urgent work for a time."""
        return not self.is_urgent and time.perf_counter() > self._urgent_until + seconds

    def wait(self) -> None:
        """Wait for a turn. Native threads need not wait: the interpreter switches between them."""
        if not is_green():
            return
        from eventlet.event import Event

        turn = Event()
        self._waiting.append(turn)
        if not self._is_scheduled:
            self._schedule()
        turn.wait()

    def _schedule(self, seconds: float = 0) -> None:
        from eventlet import hubs

        self._is_scheduled = True
        hubs.get_hub().schedule_call_global(seconds, self._grant)

    def _grant(self) -> None:
        self._is_scheduled = False
        if not self._waiting:
            return
        now = time.perf_counter()
        is_urgent = self.is_urgent or now < self._urgent_until
        if is_urgent and now < self._last_turn + URGENT_PAUSE_SECONDS:
            self._schedule(RETRY_SECONDS)
            return
        self._last_turn = now
        self._waiting.popleft().send()
        self._schedule()


# Each thread has its own, also each green one. A context variable is read ten times as fast as a green local.
_ends_at: ContextVar[float | None] = ContextVar("chatapp.slice_ends_at", default=None)
"""When the slice of the current computation ends; None outside of `in_slices`."""

_turns = _Turns()


def begin_urgent() -> None:
    """Give computations in slices fewer turns until `end_urgent` has been called as often."""
    if is_green():  # Native threads hold up nobody's turn.
        _turns.begin_urgent()


def end_urgent(calls: int = 1) -> None:
    """End the effect of as many calls of `begin_urgent`."""
    if calls and is_green():
        _turns.end_urgent(calls)


def is_urgent() -> bool:
    """Return whether there is urgent work that has not ended, such as a commit on its native thread."""
    return _turns.is_urgent


def is_quiet(seconds: float) -> bool:
    """Return whether there has been no urgent work for so long."""
    return _turns.is_quiet(seconds)


@contextmanager
def in_slices() -> Iterator[None]:
    """Compute in slices within this block. What calls no `checkpoint` is not interrupted."""
    if _ends_at.get() is not None:
        yield
        return
    _begin_slice()
    try:
        yield
    finally:
        _end_slice()


def is_in_slices() -> bool:
    """Return whether this is called within `in_slices` by a green thread, which may wait for other processes, too."""
    return _ends_at.get() is not None and is_green()


def is_slice_over() -> bool:
    """Return whether others should run now. Outside of `in_slices` this is never the case."""
    ends_at = _ends_at.get()
    return ends_at is not None and time.perf_counter() > ends_at


def checkpoint() -> None:
    """Wait for the next turn if the current slice is over."""
    if is_slice_over():
        _end_slice()
        _begin_slice()


def _begin_slice() -> None:
    _turns.wait()
    if is_green():
        shorten_interval()
    _ends_at.set(time.perf_counter() + SLICE_SECONDS)


def _end_slice() -> None:
    if _ends_at.get() is None:  # The thread was ended while it waited for its turn.
        return
    if is_green():
        restore_interval()
    _ends_at.set(None)
