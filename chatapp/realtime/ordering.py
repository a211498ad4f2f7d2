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

    def start_at(self, wire_name: str, event: int) -> int:
        """Set a conversation's position to `event`, unless it is known; return the position."""
        return self._positions.setdefault(wire_name, event)

    def advance_to(self, wire_name: str, event: int) -> None:
        """Set a conversation's position to `event`, unless it is beyond that."""
        self._positions[wire_name] = max(self._positions.get(wire_name, 0), event)

    def get(self, wire_name: str) -> int:
        """Return a conversation's position, which must be known."""
        return self._positions[wire_name]


class TimelineOrder:
    """Broadcasts the events of all processes in the order of their numbers. Conversations are given by wire name.

    `read_events(wire_name, after)` returns the next events from the database, and whether there may be more.
    `emit(message, is_new)` broadcasts one of them, as a new message or as a change. `evict(wire_name)` removes sockets
    that may no longer read: a revocation by another process may not have arrived, since Redis may be unavailable.
    `has_listeners(wire_name)` returns whether a socket of this process receives the conversation's events or its news.
    """

    def __init__(
        self,
        positions: BroadcastPositions,
        *,
        read_events: Callable[[str, int], tuple[Sequence[TimelineMessage], bool]],
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
    def before(self, wire_name: str, version: int) -> Iterator[bool]:
        """Broadcast all events before `version`. Yield whether the event `version` is still to be broadcast.

        It is not if it was already read, and broadcast, together with the events before it. The caller has removed the
        sockets that may not read the event.
        """
        with self._lock:
            if self._positions.start_at(wire_name, version - 1) < version - 1:
                self._broadcast_missed(wire_name)
            yield self._positions.get(wire_name) < version
            self._positions.advance_to(wire_name, version)

    def on_remote_commit(self, wire_name: str, version: int) -> None:
        """Broadcast the events that another process has committed, up to `version` at least."""
        with self._lock:
            if not self._has_listeners(wire_name):
                self._positions.advance_to(wire_name, version)
            elif self._positions.start_at(wire_name, version - 1) < version:
                self._broadcast_missed(wire_name)

    def _broadcast_missed(self, wire_name: str) -> None:
        """Read the events after the conversation's position from the database, and broadcast them."""
        start = self._positions.get(wire_name)
        # A message that is edited between two reads comes twice. It is new only the first time.
        emitted: set[int | None] = set()
        has_more = True
        while has_more:
            messages, has_more = self._read_events(wire_name, self._positions.get(wire_name))
            if messages:
                self._evict(wire_name)  # After the read, so that each revocation before these events is known.
            for message in messages:
                is_new = message.seq is not None and message.seq > start and message.seq not in emitted
                self._emit(message, is_new)
                emitted.add(message.seq)
                self._positions.advance_to(wire_name, message.version or start)
