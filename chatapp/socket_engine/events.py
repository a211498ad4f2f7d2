"""Handlers of events, and the order in which the packets of a connection are handled."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chatapp.socket_engine.limits import MAX_CONCURRENT_EVENTS

Acknowledge = Callable[[Mapping[str, Any]], None]
"""Sends the acknowledgement of an event, if its client wants one."""

Handle = Callable[[str, Sequence[object], Acknowledge], None]
"""Handles an event, given the id of its socket and its arguments, and acknowledges it once. Raises nothing."""


@dataclass(frozen=True, slots=True)
class EventHandler:
    """The handler of an event."""

    handle: Handle
    is_immediate: bool = False
    """Whether it never waits. It may return before it acknowledges."""
    waiting_field: str = ""
    """Name of a field: an event with something in it is handled by `handle_waiting`, and is not immediate."""
    handle_waiting: Handle | None = None

    def find_waiting(self, arguments: Sequence[object]) -> Handle | None:
        """Return the function that handles an event with these arguments; None if it is immediate."""
        if not self.is_immediate:
            return self.handle
        if self.handle_waiting is not None and arguments:
            payload = arguments[0]
            if isinstance(payload, dict) and payload.get(self.waiting_field):
                return self.handle_waiting
        return None


class EventOrder:
    """The order in which the packets of one connection are handled.

    An immediate event is handled when it arrives. Only immediate events that follow one another are handled at the same
    time, so that one commit stores what they change. Any other packet is handled on a green thread of its own, when all
    events before it have been acknowledged. While `is_blocked` no packet may be added.
    """

    def __init__(self, spawn: Callable[[Callable[[], object]], None], on_unblocked: Callable[[], None]) -> None:
        self._spawn = spawn
        self._on_unblocked = on_unblocked
        self._immediate = 0
        """Number of immediate events that are not acknowledged."""
        self._waiting: Callable[[], object] | None = None
        """Handles a packet that waits for them."""
        self.is_blocked = False

    def begin_immediate(self) -> None:
        """Add an immediate event, which the caller handles."""
        self._immediate += 1
        self.is_blocked = self._immediate >= MAX_CONCURRENT_EVENTS

    def end_immediate(self) -> None:
        """Record that an immediate event has been acknowledged."""
        self._immediate -= 1
        if self._waiting is None:
            self._unblock()
        elif self._immediate == 0:
            self._start(self._waiting)

    def add(self, handle: Callable[[], object]) -> None:
        """Add another packet: call `handle` on a green thread when its turn has come."""
        self.is_blocked = True
        if self._immediate:
            self._waiting = handle
        else:
            self._start(handle)

    def _start(self, handle: Callable[[], object]) -> None:
        self._waiting = None
        self._spawn(lambda: self._run(handle))

    def _run(self, handle: Callable[[], object]) -> None:
        try:
            handle()
        finally:
            self._unblock()

    def _unblock(self) -> None:
        if self.is_blocked:
            self.is_blocked = False
            self._on_unblocked()
