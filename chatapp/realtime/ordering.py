"""Order of broadcasts where several processes write to one database.

Each process broadcasts its own events when they are committed. Events of other processes are read from the database and
broadcast before any later event of the same conversation.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice

import structlog

from chatapp.revocations import LastRevocation
from chatapp.timeline import TimelineMessage
from chatapp.timeline.new_events import MAX_CONVERSATIONS, NewEvents

log = structlog.get_logger(__name__)

EVENTS_PER_TURN = 50
"""Number of events from the database that are broadcast before other green threads run."""


class EpochChangedError(Exception):
    """The database has another epoch than the positions: they may be those of other events."""


class BroadcastPositions:
    """The position of each conversation: the number of the last event that this process has broadcast, if known."""

    def __init__(self) -> None:
        self._positions: dict[str, int] = {}
        self._epoch: str | None = None
        """The epoch of the positions; None until it was read for the first time."""

    def check_epoch(self, epoch: str) -> None:
        """Raise `EpochChangedError` if the positions are of another epoch than the one that was just read."""
        if self._epoch is None:
            self._epoch = epoch
        if self.is_of_another_epoch(epoch):
            raise EpochChangedError

    def is_of_another_epoch(self, epoch: str) -> bool:
        """Return whether the positions are of another epoch than `epoch`. Before they are of any, they are not."""
        return self._epoch not in (None, epoch)

    def start_at(self, wire_name: str, event: int) -> int:
        """Set a conversation's position to `event`, unless it is known; return the position."""
        return self._positions.setdefault(wire_name, event)

    def advance_to(self, wire_name: str, event: int) -> None:
        """Set a conversation's position to `event`, unless it is beyond that."""
        self._positions[wire_name] = max(self._positions.get(wire_name, 0), event)

    def get(self, wire_name: str) -> int:
        """Return a conversation's position, which must be known."""
        return self._positions[wire_name]

    def restart(self, epoch: str, heads: Mapping[str, int]) -> None:
        """Lower positions that are beyond the last events of these conversations, and forget those of all others.

        They are of another epoch from now on.
        """
        self._epoch = epoch
        self._positions = {name: min(self._positions[name], heads[name]) for name in heads if name in self._positions}


@dataclass(frozen=True, slots=True)
class BroadcastEvent:
    """An event of a conversation, and how it is broadcast."""

    message: TimelineMessage
    is_new: bool
    """Whether the message is new to clients. Otherwise it has changed."""
    was_pending: bool = False
    """Whether the message was pending in this process: clients wait until it is saved."""
    is_due: bool = True
    """Whether the event is still to be broadcast. Otherwise clients receive only that the message was saved."""

    @property
    def wire_name(self) -> str:
        """The wire name of the conversation."""
        return self.message.conversation.wire_name

    @property
    def version(self) -> int:
        """The event number."""
        return self.message.version or 0


@dataclass(frozen=True, slots=True)
class EventsRead:
    """The events of conversations, by wire name, in one snapshot of the database."""

    events: Mapping[str, NewEvents]
    last_revocation: LastRevocation


@dataclass(slots=True)
class _Gap:
    """A conversation whose next events are in the database only."""

    start: int
    """The position before the first of them."""
    emitted: set[int | None] = field(default_factory=set)
    """The messages that were broadcast. One that is edited between two reads comes twice, and is new the first time."""

    def classify(self, messages: Iterable[TimelineMessage]) -> list[BroadcastEvent]:
        """Return the events of messages that were read, which are broadcast now."""
        events = []
        for message in messages:
            is_new = message.seq is not None and message.seq > self.start and message.seq not in self.emitted
            events.append(BroadcastEvent(message, is_new))
            self.emitted.add(message.seq)
        return events


class TimelineOrder:
    """Broadcasts the events of all processes in the order of their numbers. Conversations are given by wire name.

    `read_events(positions)` returns the next events of conversations from the database. `emit(events)` broadcasts
    consecutive events of one conversation. `evict(wire_names, last_revocation)` removes sockets that may no longer
    read: a revocation by another process may not have arrived, since Redis may be unavailable.
    `has_listeners(wire_name)` returns whether a socket of this process receives the conversation's events or its news.

    In a new epoch nothing is broadcast until `restart` was called.
    """

    def __init__(
        self,
        positions: BroadcastPositions,
        *,
        read_events: Callable[[Mapping[str, int]], EventsRead],
        emit: Callable[[Sequence[BroadcastEvent]], None],
        evict: Callable[[Collection[str], LastRevocation], None],
        has_listeners: Callable[[str], bool],
    ) -> None:
        self._positions = positions
        self._read_events = read_events
        self._emit = emit
        self._evict = evict
        self._has_listeners = has_listeners
        self._lock = threading.RLock()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Within the block, only the caller broadcasts events."""
        with self._lock:
            yield

    def broadcast(self, own: Sequence[BroadcastEvent], committed: Mapping[str, int]) -> None:
        """Broadcast events of this process, and those that other processes have committed up to `committed` at least.

        The `own` events of each conversation are in the order of their numbers. All conversations with listeners share
        the queries. Without any, nothing is read. Raises `EpochChangedError`.
        """
        with self._lock:
            by_conversation: dict[str, list[BroadcastEvent]] = defaultdict(list)
            for event in own:
                by_conversation[event.wire_name].append(event)
            ends = {name: max(committed.get(name, 0), events[-1].version) for name, events in by_conversation.items()}
            self._broadcast(by_conversation, {**committed, **ends})

    def restart(self, epoch: str, heads: Mapping[str, int]) -> None:
        """Continue after the last events of the conversations: in a new epoch, event numbers may be lower."""
        with self._lock:
            self._positions.restart(epoch, heads)

    def _broadcast(self, own: Mapping[str, Sequence[BroadcastEvent]], ends: Mapping[str, int]) -> None:
        due = [name for name, end in ends.items() if self._is_due(name, own.get(name, ()), end)]
        if not due:
            return
        gaps = {name: _Gap(self._positions.get(name)) for name in due if not self._are_next(name, own, ends[name])}
        # Read first: each revocation before these events is known then.
        read = self._read_first(gaps)
        self._evict(due, read.last_revocation)
        for name in due:
            if name not in gaps:
                self._emit_own(name, own[name])
        while gaps:
            for name in list(islice(gaps, MAX_CONVERSATIONS)):
                if self._emit_read(name, gaps[name], read.events.get(name)):
                    del gaps[name]
                    self._positions.advance_to(name, ends[name])
                    self._emit_own(name, own.get(name, ()))
            if gaps:
                read = self._read_first(gaps)
                self._evict(list(read.events), read.last_revocation)

    def _is_due(self, name: str, events: Sequence[BroadcastEvent], end: int) -> bool:
        """Return whether sockets are to receive these events of this process, or others up to `end`."""
        position = self._positions.start_at(name, min([end, *(event.version for event in events)]) - 1)
        if not self._has_listeners(name):
            self._emit_own(name, events)  # What is kept for an outage is updated.
            self._positions.advance_to(name, end)
            return False
        return position < end or any(event.was_pending for event in events)

    def _are_next(self, name: str, own: Mapping[str, Sequence[BroadcastEvent]], end: int) -> bool:
        """Return whether the events of this process are all that follow a conversation's position, up to `end`."""
        position = self._positions.get(name)
        for event in own.get(name, ()):
            if event.version > position + 1:
                return False
            position = max(position, event.version)
        return position >= end

    def _read_first(self, gaps: Mapping[str, _Gap]) -> EventsRead:
        read = self._read_events({name: self._positions.get(name) for name in islice(gaps, MAX_CONVERSATIONS)})
        self._positions.check_epoch(read.last_revocation.epoch)
        return read

    def _emit_read(self, name: str, gap: _Gap, read: NewEvents | None) -> bool:
        """Broadcast the events that were read of a conversation. Return whether these are all."""
        if read is None:
            return True  # The conversation was removed.
        events = gap.classify(read.messages)
        for start in range(0, len(events), EVENTS_PER_TURN):
            if start:
                time.sleep(0)
            self._emit_safely(name, events[start : start + EVENTS_PER_TURN])
        self._positions.advance_to(name, read.end)
        return not read.has_more

    def _emit_own(self, name: str, events: Sequence[BroadcastEvent]) -> None:
        """Broadcast those events of this process that are due."""
        position = self._positions.get(name)
        # One that is not was read, and broadcast, together with the events before it.
        emitted = [replace(event, is_due=event.version > position) for event in events]
        self._emit_safely(name, [event for event in emitted if event.is_due or event.was_pending])
        if events:
            self._positions.advance_to(name, events[-1].version)

    def _emit_safely(self, name: str, events: Sequence[BroadcastEvent]) -> None:
        try:
            if events:
                self._emit(events)
        except Exception:
            # Other events are emitted nevertheless. Clients detect the gap.
            log.exception("broadcast failed", conversation=name)
