"""Order of broadcasts across processes, with a fake database."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from chatapp.conversations.refs import GENERAL
from chatapp.realtime.ordering import BroadcastPositions, TimelineOrder
from chatapp.timeline import TimelineMessage


class FakeTimeline:
    """The events of a conversation in the database, and what was broadcast of them."""

    def __init__(self) -> None:
        self.messages: dict[int, TimelineMessage] = {}
        self.emitted: list[tuple[str, int]] = []
        self.evictions: list[int] = []
        """How often events had been read at each removal of sockets."""
        self.reads = 0
        self.has_listeners = True
        self.edits: list[tuple[int, int]] = []
        """Edits that another process commits during the next broadcasts: the message's `seq` and its new version."""
        self.positions = BroadcastPositions()
        self.order = TimelineOrder(
            self.positions,
            read_events=self._read,
            emit=self._emit,
            evict=self._evict,
            has_listeners=lambda _conversation: self.has_listeners,
        )

    def commit(self, version: int, seq: int | None = None) -> None:
        """Store an event: a new message, or with another `seq` a change of that message."""
        self.messages[version] = TimelineMessage(
            conversation=GENERAL, seq=seq or version, version=version, content="", created_at=datetime.now(UTC)
        )

    def broadcast(self, version: int) -> None:
        """Broadcast an event of this process."""
        with self.order.before("general", version) as is_due:
            if is_due:
                self.emitted.append(("local", version))

    def _read(self, _conversation: str, after: int) -> tuple[Sequence[TimelineMessage], bool]:
        self.reads += 1
        events = [self.messages[version] for version in sorted(self.messages) if version > after][:2]
        return events, len(events) == 2

    def _emit(self, message: TimelineMessage, is_new: bool) -> None:
        assert message.version is not None
        self.emitted.append(("new" if is_new else "changed", message.version))
        if self.edits:
            seq, version = self.edits.pop(0)
            self.messages = {key: each for key, each in self.messages.items() if each.seq != seq}
            self.commit(version, seq)

    def _evict(self, _conversation: str) -> None:
        self.evictions.append(self.reads)


@pytest.fixture
def timeline() -> FakeTimeline:
    return FakeTimeline()


def test_consecutive_local_events_read_nothing(timeline: FakeTimeline) -> None:
    for version in (5, 6, 7):
        timeline.broadcast(version)
    assert timeline.emitted == [("local", 5), ("local", 6), ("local", 7)]
    assert timeline.reads == 0


def test_events_of_other_processes_are_broadcast_before_a_later_local_event(timeline: FakeTimeline) -> None:
    timeline.broadcast(1)
    for version in range(2, 7):
        timeline.commit(version)
    timeline.broadcast(6)
    assert timeline.emitted == [("local", 1), *(("new", version) for version in range(2, 7))]


def test_a_message_that_is_edited_during_a_broadcast_is_new_once(timeline: FakeTimeline) -> None:
    timeline.positions.start_at("general", 0)
    timeline.commit(1)
    timeline.commit(2)
    timeline.edits = [(1, 3)]
    timeline.order.on_remote_commit("general", 2)
    assert timeline.emitted == [("new", 1), ("new", 2), ("changed", 3)]


def test_events_of_another_process_are_read_once(timeline: FakeTimeline) -> None:
    timeline.positions.start_at("general", 0)
    timeline.commit(1)
    timeline.order.on_remote_commit("general", 1)
    assert (timeline.emitted, timeline.reads) == ([("new", 1)], 1)


def test_an_event_that_was_read_already_is_not_broadcast_again(timeline: FakeTimeline) -> None:
    timeline.positions.start_at("general", 0)
    timeline.commit(1)
    timeline.commit(2)
    timeline.order.on_remote_commit("general", 2)
    timeline.broadcast(1)
    timeline.broadcast(2)
    timeline.broadcast(3)
    assert timeline.emitted == [("new", 1), ("new", 2), ("local", 3)]


def test_changes_of_known_messages_are_broadcast_as_changes(timeline: FakeTimeline) -> None:
    timeline.positions.start_at("general", 3)
    timeline.commit(4, seq=2)
    timeline.commit(5)
    timeline.commit(6, seq=5)
    timeline.order.on_remote_commit("general", 6)
    assert timeline.emitted == [("changed", 4), ("new", 5), ("changed", 6)]


def test_a_notification_about_old_events_does_nothing(timeline: FakeTimeline) -> None:
    timeline.broadcast(7)
    timeline.order.on_remote_commit("general", 7)
    timeline.order.on_remote_commit("general", 3)
    assert timeline.emitted == [("local", 7)]


def test_the_first_notification_of_an_unknown_conversation_brings_its_event(timeline: FakeTimeline) -> None:
    for version in range(1, 10):
        timeline.commit(version)
    timeline.order.on_remote_commit("general", 9)
    assert timeline.emitted == [("new", 9)]


def test_nothing_is_read_for_a_conversation_without_listeners(timeline: FakeTimeline) -> None:
    timeline.has_listeners = False
    timeline.commit(1)
    timeline.order.on_remote_commit("general", 1)
    timeline.has_listeners = True
    timeline.broadcast(2)
    assert (timeline.emitted, timeline.reads) == ([("local", 2)], 0)


def test_nobody_whose_access_was_revoked_receives_an_event(timeline: FakeTimeline) -> None:
    timeline.broadcast(1)
    timeline.commit(2)
    timeline.order.on_remote_commit("general", 2)
    assert timeline.evictions == [1], "after the event was read: a revocation before the event is found then"


def test_a_socket_that_joins_does_not_move_a_known_position() -> None:
    positions = BroadcastPositions()
    assert positions.start_at("general", 5) == 5
    assert positions.start_at("general", 9) == 5
    positions.advance_to("general", 3)
    assert positions.get("general") == 5
