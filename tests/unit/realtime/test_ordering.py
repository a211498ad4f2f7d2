"""Order of broadcasts across processes, with a fake database."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime

import pytest
from sqlalchemy.exc import OperationalError

from chatapp.conversations.refs import GENERAL, ConversationRef, parse_ref
from chatapp.realtime.broadcast_queue import BroadcastQueue
from chatapp.realtime.ordering import BroadcastEvent, BroadcastPositions, EpochChangedError, EventsRead, TimelineOrder
from chatapp.revocations import LastRevocation
from chatapp.timeline import TimelineMessage
from chatapp.timeline.new_events import NewEvents

EVENTS_PER_READ = 2


class FakeTimeline:
    """The events of conversations in the database, and what was broadcast of them."""

    def __init__(self) -> None:
        self.messages: dict[ConversationRef, dict[int, TimelineMessage]] = {}
        self.emitted: list[tuple[str, int]] = []
        self.emitted_in: list[str] = []
        """The conversation of each broadcast."""
        self.evictions: list[tuple[int, list[str]]] = []
        """How often events had been read at each removal of sockets, and the conversations."""
        self.reads = 0
        self.queries = 0
        self.epoch = "first"
        self.error: Exception | None = None
        """Raised by the next read."""
        self.silent: set[str] = set()
        """Conversations without listeners."""
        self.failing = ""
        """A conversation whose events cannot be broadcast."""
        self.edits: list[tuple[int, int]] = []
        """Edits that another process commits during the next broadcasts: the message's `seq` and its new version."""
        self.positions = BroadcastPositions()
        self.order = TimelineOrder(
            self.positions,
            read_events=self._read,
            emit=self._emit,
            evict=self._evict,
            has_listeners=lambda conversation: conversation not in self.silent,
        )
        self.queue = BroadcastQueue(self.order)

    def commit(self, version: int, seq: int | None = None, ref: ConversationRef = GENERAL) -> TimelineMessage:
        """Store an event: a new message, or with another `seq` a change of that message."""
        message = TimelineMessage(
            conversation=ref, seq=seq or version, version=version, content="", created_at=datetime.now(UTC)
        )
        stored = self.messages.setdefault(ref, {})
        self.messages[ref] = {key: each for key, each in stored.items() if each.seq != message.seq} | {version: message}
        return message

    def broadcast(self, *versions: int) -> None:
        """Broadcast events of this process: new messages."""
        self.order.broadcast([self.own(version) for version in versions], {})

    def own(self, version: int, ref: ConversationRef = GENERAL, *, was_pending: bool = False) -> BroadcastEvent:
        """Store a message of this process."""
        return BroadcastEvent(self.commit(version, ref=ref), is_new=True, was_pending=was_pending)

    def _read(self, positions: Mapping[str, int]) -> EventsRead:
        self.queries += 1
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        self.reads += bool(positions)
        events = {name: self._read_one(name, after) for name, after in positions.items()}
        return EventsRead(events, LastRevocation(self.epoch, self.queries))

    def _read_one(self, conversation: str, after: int) -> NewEvents:
        messages = self.messages.get(parse_ref(conversation), {})
        last, end = max(messages, default=0), after + EVENTS_PER_READ
        events = [messages[version] for version in sorted(messages) if after < version <= end]
        return NewEvents(events, min(end, last), has_more=end < last)

    def _emit(self, events: Sequence[BroadcastEvent]) -> None:
        for event in events:
            if event.wire_name == self.failing:
                raise RuntimeError("a failure")
            saved = "saved" if event.is_due else "saved only"
            kind = saved if event.was_pending else "new" if event.is_new else "changed"
            self.emitted.append((kind, event.version))
            self.emitted_in.append(event.wire_name)
            if self.edits:
                seq, version = self.edits.pop(0)
                self.commit(version, seq)

    def _evict(self, conversations: Collection[str], last_revocation: LastRevocation) -> None:
        assert last_revocation.number == self.queries, "the number is of the snapshot with the events"
        self.evictions.append((self.reads, sorted(conversations)))


@pytest.fixture
def timeline() -> FakeTimeline:
    return FakeTimeline()


def test_consecutive_local_events_read_nothing(timeline: FakeTimeline) -> None:
    for version in (5, 6):
        timeline.broadcast(version)
    timeline.broadcast(7, 8)
    assert timeline.emitted == [("new", 5), ("new", 6), ("new", 7), ("new", 8)]
    assert timeline.reads == 0


def test_events_of_other_processes_are_broadcast_before_a_later_local_event(timeline: FakeTimeline) -> None:
    timeline.broadcast(1)
    for version in range(2, 7):
        timeline.commit(version)
    timeline.broadcast(6)
    assert timeline.emitted == [("new", version) for version in range(1, 7)]


def test_a_message_that_is_edited_during_a_broadcast_is_new_once(timeline: FakeTimeline) -> None:
    timeline.positions.start_at("general", 0)
    for version in (1, 2, 3):
        timeline.commit(version)
    timeline.edits = [(1, 4)]
    timeline.order.broadcast([], {"general": 3})
    assert timeline.emitted == [("new", 1), ("new", 2), ("new", 3), ("changed", 4)]


def test_events_of_another_process_are_read_once(timeline: FakeTimeline) -> None:
    timeline.positions.start_at("general", 0)
    timeline.commit(1)
    timeline.order.broadcast([], {"general": 1})
    assert (timeline.emitted, timeline.reads) == ([("new", 1)], 1)


def test_an_event_that_was_read_already_is_not_broadcast_again(timeline: FakeTimeline) -> None:
    timeline.positions.start_at("general", 0)
    timeline.commit(1)
    timeline.commit(2)
    timeline.order.broadcast([], {"general": 2})
    timeline.broadcast(1)
    timeline.broadcast(2)
    timeline.broadcast(3)
    assert timeline.emitted == [("new", 1), ("new", 2), ("new", 3)]


def test_changes_of_known_messages_are_broadcast_as_changes(timeline: FakeTimeline) -> None:
    timeline.positions.start_at("general", 3)
    timeline.commit(4, seq=2)
    timeline.commit(5)
    timeline.commit(6, seq=5)
    timeline.order.broadcast([], {"general": 6})
    assert timeline.emitted == [("changed", 4), ("new", 6)], "posted and edited before it was read: it is new"


def test_a_notification_about_old_events_does_nothing(timeline: FakeTimeline) -> None:
    timeline.broadcast(7)
    timeline.order.broadcast([], {"general": 7})
    timeline.order.broadcast([], {"general": 3})
    assert timeline.emitted == [("new", 7)]


def test_the_first_notification_of_an_unknown_conversation_brings_its_event(timeline: FakeTimeline) -> None:
    for version in range(1, 10):
        timeline.commit(version)
    timeline.order.broadcast([], {"general": 9})
    assert timeline.emitted == [("new", 9)]


def test_nothing_is_read_for_a_conversation_without_listeners(timeline: FakeTimeline) -> None:
    timeline.silent = {"general"}
    timeline.commit(1)
    timeline.order.broadcast([], {"general": 1})
    assert timeline.queries == 0
    timeline.silent = set()
    timeline.broadcast(2)
    assert (timeline.emitted, timeline.reads) == ([("new", 2)], 0)


def test_nobody_whose_access_was_revoked_receives_an_event(timeline: FakeTimeline) -> None:
    timeline.broadcast(1)
    timeline.commit(2)
    timeline.order.broadcast([], {"general": 2})
    first, second = timeline.evictions
    assert first == (0, ["general"])
    assert second == (1, ["general"]), "after the event was read: a revocation before the event is found then"


def test_a_batch_of_many_conversations_is_read_with_one_query(timeline: FakeTimeline) -> None:
    rooms = [ConversationRef("room", number) for number in range(2, 12)]
    for room in rooms:
        timeline.positions.start_at(room.wire_name, 0)
        timeline.commit(1, ref=room)
    own = [timeline.own(1), timeline.own(2, rooms[0])]
    timeline.order.broadcast(own, {room.wire_name: 1 for room in rooms})
    assert timeline.queries == 1
    assert sorted(timeline.emitted_in) == sorted(["general", "room_2", *(room.wire_name for room in rooms)])
    assert timeline.evictions == [(1, sorted(["general", *(room.wire_name for room in rooms)]))]


def test_each_read_of_a_long_gap_is_followed_by_an_eviction(timeline: FakeTimeline) -> None:
    timeline.positions.start_at("general", 0)
    for version in range(1, 8):
        timeline.commit(version)
    timeline.order.broadcast([], {"general": 7})
    assert timeline.emitted == [("new", version) for version in range(1, 8)]
    assert timeline.evictions == [(number, ["general"]) for number in range(1, 5)]


def test_a_gap_within_a_batch_is_filled(timeline: FakeTimeline) -> None:
    first = timeline.own(1)
    timeline.commit(2)
    timeline.order.broadcast([first, timeline.own(3), timeline.own(4)], {})
    assert timeline.emitted == [("new", 1), ("new", 2), ("new", 3), ("new", 4)]


def test_a_message_that_was_pending_is_saved_once_more_if_it_was_read_before(timeline: FakeTimeline) -> None:
    timeline.positions.start_at("general", 0)
    timeline.commit(1)
    saved = timeline.own(2, was_pending=True)
    timeline.order.broadcast([saved], {})
    assert timeline.emitted == [("new", 1), ("new", 2), ("saved only", 2)]
    timeline.order.broadcast([timeline.own(3, was_pending=True)], {})
    assert timeline.emitted[3:] == [("saved", 3)]


def test_a_failure_in_one_conversation_does_not_stop_the_others(timeline: FakeTimeline) -> None:
    timeline.failing = "room_2"
    room = ConversationRef("room", 2)
    timeline.order.broadcast([timeline.own(1, room), timeline.own(1)], {})
    timeline.failing = ""
    timeline.order.broadcast([timeline.own(2, room)], {})
    assert timeline.emitted_in == ["general", "room_2"]


def test_what_could_not_be_read_waits_in_its_order(timeline: FakeTimeline) -> None:
    timeline.queue.add([timeline.own(1)])
    timeline.queue.add_committed({"room_2": 1})
    timeline.commit(1, ref=ConversationRef("room", 2))
    timeline.error = OperationalError("SELECT", {}, Exception("the database is gone"))
    with pytest.raises(OperationalError):
        timeline.queue.broadcast_waiting()
    assert timeline.emitted == []
    timeline.queue.add([timeline.own(2)])
    timeline.queue.broadcast_waiting()
    assert timeline.emitted_in == ["general", "general", "room_2"]
    assert len(timeline.queue) == 0


def test_events_beyond_the_bound_of_the_queue_are_read_from_the_database(
    timeline: FakeTimeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatapp.realtime.broadcast_queue.MAX_WAITING", 2)
    timeline.queue.add([timeline.own(version) for version in range(1, 6)])
    assert len(timeline.queue) == 3, "two events, and the number of the last one"
    timeline.queue.broadcast_waiting()
    assert timeline.emitted == [("new", version) for version in range(1, 6)]


def test_in_a_new_epoch_events_follow_the_last_ones_of_the_database(timeline: FakeTimeline) -> None:
    timeline.broadcast(1, 2, 3)
    timeline.queue.add([timeline.own(4)])
    timeline.queue.add_committed({"general": 6})
    timeline.emitted.clear()
    timeline.messages.clear()
    timeline.commit(1)
    timeline.epoch = "second"
    with pytest.raises(EpochChangedError):
        timeline.queue.broadcast_waiting()
    timeline.queue.restart(lambda: ("second", {"general": 1}))
    timeline.queue.broadcast_waiting()
    assert timeline.emitted == [], "what waited is lost"
    timeline.broadcast(2, 3)
    assert timeline.emitted == [("new", 2), ("new", 3)]


def test_a_socket_that_joins_does_not_move_a_known_position() -> None:
    positions = BroadcastPositions()
    assert positions.start_at("general", 5) == 5
    assert positions.start_at("general", 9) == 5
    positions.advance_to("general", 3)
    assert positions.get("general") == 5
