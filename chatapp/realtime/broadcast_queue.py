"""The queue of events to be broadcast, where several processes write to one database.

To broadcast an event, it is read from the database whether somebody's access was revoked, and what other processes have
committed before. The writer does not wait for that: it adds its events to this queue. All that waits is broadcast
together, with the same queries.

The queue is bounded. What exceeds the bound is kept as the number of the conversation's last event only, and read from
the database like the events of other processes. So broadcasting that falls behind delays no commit and uses no more
memory.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence

import structlog

from chatapp.realtime.ordering import BroadcastEvent, EpochChangedError, TimelineOrder
from chatapp.storage import DATABASE_ERRORS

log = structlog.get_logger(__name__)

MAX_WAITING = 10_000
"""Maximum number of events that wait with their messages."""

RETRY_SECONDS = 0.2
"""Pause after the database could not be read. What waits is broadcast when it can be read again."""


class BroadcastQueue:
    """Events of this process, and numbers of events of others. One thread broadcasts them, in their order."""

    def __init__(self, order: TimelineOrder) -> None:
        self._order = order
        self._lock = threading.Lock()
        self._is_filled = threading.Event()
        self._own: list[BroadcastEvent] = []
        self._committed: dict[str, int] = {}
        """By wire name, the last event that is to be broadcast."""

    def __len__(self) -> int:
        """Return the number of events of this process, and of conversations with events of others, that wait."""
        return len(self._own) + len(self._committed)

    def add(self, events: Sequence[BroadcastEvent]) -> None:
        """Add events of this process, in the order of their numbers in each conversation."""
        with self._lock:
            kept = max(MAX_WAITING - len(self._own), 0)
            self._own += events[:kept]
            self._note({event.wire_name: event.version for event in events[kept:]})
        self._is_filled.set()

    def add_committed(self, numbers: Mapping[str, int]) -> None:
        """Add the numbers of events, by wire name, up to which the database has events to broadcast."""
        with self._lock:
            self._note(numbers)
        self._is_filled.set()

    def run(self) -> None:
        """Broadcast what is added, for ever."""
        is_epoch_logged = False
        while True:
            self._is_filled.wait()
            try:
                self.broadcast_waiting()
                is_epoch_logged = False
            except DATABASE_ERRORS as error:
                log.debug("broadcasting waits for the database", reason=str(error))
                time.sleep(RETRY_SECONDS)
            except EpochChangedError:
                if not is_epoch_logged:
                    log.info("broadcasting waits for the positions of the new epoch")
                    is_epoch_logged = True
                time.sleep(RETRY_SECONDS)

    def broadcast_waiting(self) -> None:
        """Broadcast all that waits. If the database cannot be read, or has a new epoch, it waits again."""
        with self._order.paused():
            own, committed = self._take()
            try:
                self._order.broadcast(own, committed)
            except (*DATABASE_ERRORS, EpochChangedError):
                with self._lock:
                    # What was broadcast before the error is not repeated: the positions are beyond it.
                    self._own = own + self._own
                    self._note(committed)
                self._is_filled.set()
                raise

    def restart(self, read_heads: Callable[[], tuple[str, Mapping[str, int]]]) -> None:
        """Discard what waits, and continue after the last events of the conversations: there is a new epoch.

        `read_heads` returns it and these events. What is committed meanwhile may be discarded too. It is broadcast
        before the next event, or at a heartbeat.
        """
        with self._order.paused():
            epoch, heads = read_heads()
            self._take()
            self._order.restart(epoch, heads)

    def _take(self) -> tuple[list[BroadcastEvent], dict[str, int]]:
        with self._lock:
            self._is_filled.clear()
            own, self._own = self._own, []
            committed, self._committed = self._committed, {}
        return own, committed

    def _note(self, numbers: Mapping[str, int]) -> None:
        for wire_name, number in numbers.items():
            self._committed[wire_name] = max(number, self._committed.get(wire_name, 0))
