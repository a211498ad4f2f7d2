"""The relay: signals of one process take effect in another."""

from typing import Any, cast
from unittest.mock import Mock

import orjson
import pytest

from chatapp.assistants.signals import AnswerProgress
from chatapp.config import Settings
from chatapp.conversations.people import Person
from chatapp.conversations.refs import GENERAL, ConversationRef, room_ref
from chatapp.conversations.signals import MembersChanged, MembershipRevoked, members_changed, membership_revoked
from chatapp.credentials import SharingChanged, sharing_changed
from chatapp.limits.rates import SEARCHES, RateCounters
from chatapp.presentation.messages import render_answer_blocks
from chatapp.realtime.assistants import AnswerBroadcaster
from chatapp.realtime.bus import Bus, Handler
from chatapp.realtime.relay import Relay
from chatapp.realtime.typing import Typing, typed
from chatapp.schedule.signals import ReminderChanged, ScheduledChanged, reminder_changed, scheduled_changed
from chatapp.signals import Signal, Signals
from chatapp.timeline import Head
from chatapp.timeline.read_markers import ReadReceipt, ReadState
from chatapp.timeline.signals import (
    DraftChanged,
    ReadReceiptChanged,
    SavedChanged,
    draft_changed,
    read_receipt_changed,
    read_state_changed,
    saved_changed,
    timeline_trimmed,
)


class FakeBus:
    """Delivers messages to the other process at once, or loses those of one kind."""

    def __init__(self) -> None:
        self.other = self
        self.lost_kind = ""
        self.handlers: dict[str, Handler] = {}

    def on(self, kind: str, handler: Handler) -> None:
        self.handlers[kind] = handler

    def on_connected(self, callback: object) -> None:
        """Do nothing: this bus is connected from the beginning."""

    def publish(self, kind: str, data: object) -> None:
        if kind != self.lost_kind:
            self.other.handlers[kind]("a process", orjson.loads(orjson.dumps(data)))


class Process:
    """What one process relays: its signals, and the objects that handle those of the other."""

    def __init__(self) -> None:
        self.signals = Signals()
        self.bus = FakeBus()
        self.broadcaster = Mock()
        self.answers = AnswerBroadcaster(Mock(), self.signals, lambda _conversation: 0, render_answer_blocks)
        self.evictor = Mock()
        self.rate_counters = RateCounters(Settings())
        self.rate_counters.share()
        realtime = Mock(signals=self.signals)
        self.relay = Relay(
            realtime, self.broadcaster, Mock(), self.evictor, self.answers, self.rate_counters, cast(Bus, self.bus)
        )

    def answer(self, content: str) -> None:
        progress = AnswerProgress(ConversationRef("assistant", 3), 2, content)
        self.answers.on_progress(progress)

    def streams(self) -> list[Any]:
        return list(self.answers.present_streams(ConversationRef("assistant", 3)))


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> tuple[Process, Process]:
    monkeypatch.setattr("chatapp.realtime.assistants.compute_pause", lambda *_: 0.0)
    first, second = Process(), Process()
    first.bus.other, second.bus.other = second.bus, first.bus
    return first, second


def test_a_cleanup_is_broadcast_by_every_process(processes: tuple[Process, Process]) -> None:
    first, second = processes
    head = Head(GENERAL, last_event=9, floor=4)
    first.signals.send(timeline_trimmed, head)
    second.broadcaster.broadcast_trimmed.assert_called_once_with(head)


def test_values_reach_the_other_process_unchanged(processes: tuple[Process, Process]) -> None:
    first, second = processes
    room, ana = room_ref(26), Person(1, "ana", "Ana")
    broadcaster, evictor = second.broadcaster, second.evictor
    for signal, value, receiver in (
        (membership_revoked, MembershipRevoked(room, 1), evictor.evict_member),
        (members_changed, MembersChanged(room, 3), broadcaster.broadcast_members_changed),
        (sharing_changed, SharingChanged("assistant_3", is_public=True), broadcaster.broadcast_sharing_changed),
        (read_state_changed, ReadState(room, 1, 7, unread=2, mentions=1), broadcaster.broadcast_read_state),
        (read_receipt_changed, ReadReceiptChanged(room, ReadReceipt(ana, 7)), broadcaster.broadcast_read_receipt),
        (typed, Typing(room, ana), broadcaster.broadcast_typing),
        (saved_changed, SavedChanged(1, room, 7, is_saved=True), broadcaster.broadcast_saved_changed),
        (draft_changed, DraftChanged(1, room, None, "text", 8), broadcaster.broadcast_draft_changed),
        (scheduled_changed, ScheduledChanged(1, 9, "failed", "why"), broadcaster.broadcast_scheduled),
        (reminder_changed, ReminderChanged(1, 9, "due", "tea", "room_26", 7), broadcaster.broadcast_reminder),
    ):
        first.signals.send(cast(Signal[Any], signal), value)
        receiver.assert_called_once_with(value)


def test_a_process_that_lost_a_part_of_an_answer_requests_all_of_it(processes: tuple[Process, Process]) -> None:
    first, second = processes
    first.answer("one\n\ntwo\n\n")
    first.bus.lost_kind = "delta"
    for content in ("one\n\ntwo\n\nthree\n\n", "one\n\ntwo\n\nthree\n\nfour\n\nfive\n\n"):
        first.answer(content)
    first.bus.lost_kind = ""
    assert second.streams() != first.streams()
    first.answer("one\n\ntwo\n\nthree\n\nfour\n\nfive\n\nsix\n\nseven")
    assert second.streams() == first.streams()


def test_uses_of_rate_limits_are_counted_by_the_other_process(processes: tuple[Process, Process]) -> None:
    first = processes[0]
    first.rate_counters.try_use(SEARCHES, 1)
    first.relay.publish_uses()
    usages = [process.rate_counters.find_usage(SEARCHES, 1) for process in processes]
    assert usages[0] is not None
    assert usages[1] is not None
    assert usages[0].remaining == usages[1].remaining
