"""Order of broadcasts where several processes write to one database.

Each process broadcasts its own events when they are committed. Events of other processes are read from the database and
broadcast before any later event of the same conversation.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from chatapp.timeline import TimelineMessage


class BroadcastPositions:
    """The position of each conversation: the number of the last event that this process has broadcast, if known."""

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
    """Broadcasts the events of all processes in the order of their numbers.

    `read_events(conversation, after)` returns events from the database, none at the end. `emit(message, is_new)`
    broadcasts one of them, as a new message or as a change. `evict(conversation)` removes sockets that may no longer
    read: a revocation by another process may not have arrived, since Redis may be unavailable.
    `has_listeners(conversation)` returns whether a socket of this process receives its events or its news.
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
        """Broadcast all events before `version`. Yield whether the event `version` is still to be broadcast.

        It is not if it was already read, and broadcast, together with the events before it.
        """
        with self._lock:
            self._evict(conversation)
            if self._positions.start_at(conversation, version - 1) < version - 1:
                self._broadcast_missed(conversation)
            yield self._positions.get(conversation) < version
            self._positions.advance_to(conversation, version)

    def on_remote_commit(self, conversation: str, version: int) -> None:
        """Broadcast the events that another process has committed, up to `version` at least."""
        with self._lock:
            if not self._has_listeners(conversation):
                self._positions.advance_to(conversation, version)
            elif self._positions.start_at(conversation, version - 1) < version:
                self._broadcast_missed(conversation)

    def _broadcast_missed(self, conversation: str) -> None:
        """Read the events after the conversation's position from the database, and broadcast them."""
        self._evict(conversation)
        start = self._positions.get(conversation)
        # A message that is edited between two reads comes twice. It is new only the first time.
        emitted: set[int | None] = set()
        while messages := self._read_events(conversation, self._positions.get(conversation)):
            for message in messages:
                is_new = message.seq is not None and message.seq > start and message.seq not in emitted
                self._emit(message, is_new)
                emitted.add(message.seq)
                self._positions.advance_to(conversation, message.version or start)
