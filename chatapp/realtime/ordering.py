"""Order of broadcasts where several processes write to one database.

Each process broadcasts its own events when they are committed. Events of other processes are read from the database and
broadcast before any later event of the same conversation.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from chatapp.timeline import TimelineMessage


class BroadcastPositions:
    """The number of the last event of each conversation that this process has broadcast, as far as it is known."""

    def __init__(self) -> None:
        self._positions: dict[str, int] = {}

    def start_at(self, conversation: str, event: int) -> int:
        """Set a conversation's position to `event`, unless it is known; return the position."""
        return self._positions.setdefault(conversation, event)

    def advance_to(self, conversation: str, event: int) -> None:
        """Set a conversation's position to `event`, unless it is beyond that."""
        self._positions[conversation] = max(self._positions.get(conversation, 0), event)

    def get(self, conversation: str) -> int:
        """Return a conversation's position, which must be known."""
        return self._positions[conversation]


class TimelineOrder:
    """Brings the events of all processes into the order of their numbers.

    `read_events(conversation, after)` returns events from the database, none at the end. `emit(message, is_new)`
    broadcasts one of them, as a new message or as a change. `evict(conversation)` removes sockets that may no longer
    read: other processes report revocations through Redis, which may be unavailable. `has_listeners(conversation)` is
    whether a socket of this process receives anything of it.
    """

    def __init__(
        self,
        positions: BroadcastPositions,
        *,
        read_events: Callable[[str, int], Sequence[TimelineMessage]],
        emit: Callable[[TimelineMessage, bool], None],
        evict: Callable[[str], None],
        has_listeners: Callable[[str], bool],
    ) -> None:
        self._positions = positions
        self._read_events = read_events
        self._emit = emit
        self._evict = evict
        self._has_listeners = has_listeners
        self._lock = threading.RLock()

    @contextmanager
    def before(self, conversation: str, version: int) -> Iterator[bool]:
        """Broadcast all events before `version`; yield whether that event itself is still to be broadcast.

        Reading the events before it may have included it: then it must not be broadcast again.
        """
        with self._lock:
            self._evict(conversation)
            if self._positions.start_at(conversation, version - 1) < version - 1:
                self._read_up(conversation)
            yield self._positions.get(conversation) < version
            self._positions.advance_to(conversation, version)

    def on_remote_commit(self, conversation: str, version: int) -> None:
        """Broadcast the events that another process has committed, up to `version` at least."""
        with self._lock:
            if not self._has_listeners(conversation):
                self._positions.advance_to(conversation, version)
            elif self._positions.start_at(conversation, version - 1) < version:
                self._read_up(conversation)

    def _read_up(self, conversation: str) -> None:
        """Broadcast the events that the database has after the position."""
        self._evict(conversation)
        start = self._positions.get(conversation)
        while messages := self._read_events(conversation, self._positions.get(conversation)):
            for message in messages:
                self._emit(message, message.seq is not None and message.seq > start)
                self._positions.advance_to(conversation, message.version or start)
