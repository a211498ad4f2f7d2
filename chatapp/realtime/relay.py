"""Relay between the processes of an installation: local signals are published, those of the others are handled.

Messages themselves are not published, only that a conversation has a new event: each process reads it from the
database.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

from chatapp.accounts.signals import login_sessions_revoked
from chatapp.conversations.people import Person
from chatapp.conversations.refs import ConversationRef, parse_ref
from chatapp.conversations.signals import (
    MembersChanged,
    MembershipRevoked,
    all_sidebars_changed,
    members_changed,
    membership_revoked,
    sidebar_changed,
)
from chatapp.credentials import SharingChanged, sharing_changed
from chatapp.limits.rates import RateCounters
from chatapp.realtime.application import Realtime
from chatapp.realtime.assistants import AnswerBroadcaster, Delta, delta_created
from chatapp.realtime.broadcast_queue import BroadcastQueue
from chatapp.realtime.broadcaster import Broadcaster
from chatapp.realtime.bus import Bus
from chatapp.realtime.eviction import Evictor
from chatapp.realtime.presence import UserStates
from chatapp.realtime.typing import Typing, typed
from chatapp.schedule.signals import ReminderChanged, ScheduledChanged, reminder_changed, scheduled_changed
from chatapp.signals import Signal
from chatapp.timeline import Head, TimelineMessage
from chatapp.timeline.read_markers import ReadReceipt, ReadState
from chatapp.timeline.signals import (
    DraftChanged,
    ReadReceiptChanged,
    SavedChanged,
    draft_changed,
    message_changed,
    message_saved,
    messages_posted,
    read_receipt_changed,
    read_state_changed,
    saved_changed,
    thread_state_changed,
    timeline_trimmed,
)
from chatapp.timeline.threads import ThreadState

D = TypeVar("D", SavedChanged, DraftChanged, ScheduledChanged, ReminderChanged)

PRESENCE_SECONDS = 5.0
"""Interval at which a process publishes its presence when nothing changes."""


class Relay:
    """Publishes the signals of this process on the bus, and handles those of the others."""

    def __init__(
        self,
        realtime: Realtime,
        broadcaster: Broadcaster,
        queue: BroadcastQueue,
        evictor: Evictor,
        answer_broadcaster: AnswerBroadcaster,
        rate_counters: RateCounters,
        bus: Bus,
    ) -> None:
        self._presence = realtime.presence
        self._broadcaster = broadcaster
        self._queue = queue
        self._answer_broadcaster = answer_broadcaster
        self._rate_counters = rate_counters
        self._bus = bus
        self._published_presence: tuple[float, UserStates] = (0.0, {})
        """Time and content of the last publication."""
        self._signals = signals = realtime.signals
        signals.connect(messages_posted, self.publish_posted)
        signals.connect(message_changed, self.publish_commit)
        signals.connect(message_saved, self.publish_commit)
        signals.connect(login_sessions_revoked, self.publish_login_sessions_revoked)
        signals.connect(membership_revoked, self.publish_membership_revoked)
        signals.connect(timeline_trimmed, self.publish_trimmed)
        signals.connect(sidebar_changed, self.publish_sidebar_changed)
        signals.connect(all_sidebars_changed, lambda _: bus.publish("all_sidebars_changed", None))
        signals.connect(members_changed, self.publish_members_changed)
        signals.connect(sharing_changed, self.publish_sharing_changed)
        signals.connect(read_state_changed, self.publish_read_state)
        signals.connect(thread_state_changed, self.publish_thread_state)
        signals.connect(read_receipt_changed, self.publish_read_receipt)
        signals.connect(typed, self.publish_typing)
        signals.connect(delta_created, self.publish_delta)
        bus.on("commits", self._on_commits)
        bus.on("trimmed", self._on_trimmed)
        bus.on("login_sessions_revoked", lambda _, ids: evictor.evict_login_sessions(ids))
        bus.on("membership_revoked", lambda _, revoked: evictor.evict_member(MembershipRevoked(**_with_ref(revoked))))
        bus.on("sidebar_changed", lambda _, user_ids: broadcaster.broadcast_sidebar_changed(user_ids))
        bus.on("all_sidebars_changed", lambda *_: broadcaster.broadcast_all_sidebars_changed())
        bus.on("members", self._on_members_changed)
        bus.on("sharing", lambda _, changed: broadcaster.broadcast_sharing_changed(SharingChanged(**changed)))
        bus.on("read", self._on_read_state)
        bus.on("thread", self._on_thread_state)
        bus.on("reader", self._on_read_receipt)
        bus.on("delta", self._on_delta)
        bus.on("delta_request", lambda _, answer: answer_broadcaster.resend(ConversationRef(*answer[:2]), answer[2]))
        bus.on("typing", self._on_typing)
        bus.on("presence", lambda process, states: self._presence.set_remote_states(process, dict(states)))
        bus.on("uses", lambda _, uses: rate_counters.add_reported(uses))
        bus.on("hello", lambda *_: self.publish_presence(is_requested=True))
        bus.on_connected(lambda: bus.publish("hello", None))
        self._relay_private(
            saved_changed, "saved", lambda data: SavedChanged(**_with_ref(data)), broadcaster.broadcast_saved_changed
        )
        self._relay_private(
            draft_changed, "draft", lambda data: DraftChanged(**_with_ref(data)), broadcaster.broadcast_draft_changed
        )
        self._relay_private(
            scheduled_changed, "scheduled", lambda data: ScheduledChanged(**data), broadcaster.broadcast_scheduled
        )
        self._relay_private(
            reminder_changed, "reminder", lambda data: ReminderChanged(**data), broadcaster.broadcast_reminder
        )

    def _relay_private(
        self,
        signal: Signal[D],
        topic: str,
        make: Callable[[dict[str, Any]], D],
        broadcast: Callable[[D], None],
    ) -> None:
        """Publish the changes that only one user sees under a topic, and broadcast those of the other processes."""
        self._signals.connect(signal, lambda changed: self._bus.publish(topic, asdict(changed)))
        self._bus.on(topic, lambda _, data: broadcast(make(data)))

    def publish_posted(self, messages: Sequence[TimelineMessage]) -> None:
        """Publish the numbers of the last events of conversations, each once."""
        self._bus.publish("commits", {message.conversation.wire_name: message.version for message in messages})

    def publish_commit(self, message: TimelineMessage) -> None:
        """Publish the number of a conversation's last event."""
        self.publish_posted([message])

    def publish_trimmed(self, head: Head) -> None:
        """Publish a conversation's new floor."""
        self._bus.publish("trimmed", asdict(head))

    def publish_login_sessions_revoked(self, login_session_ids: list[int]) -> None:
        """Publish the ids of revoked login sessions."""
        self._bus.publish("login_sessions_revoked", login_session_ids)

    def publish_membership_revoked(self, revoked: MembershipRevoked) -> None:
        """Publish a revoked membership."""
        self._bus.publish("membership_revoked", asdict(revoked))

    def publish_sidebar_changed(self, user_ids: Sequence[int]) -> None:
        """Publish the ids of users whose list of conversations has changed."""
        self._bus.publish("sidebar_changed", list(user_ids))

    def publish_members_changed(self, changed: MembersChanged) -> None:
        """Publish the number of members of a room."""
        self._bus.publish("members", asdict(changed))

    def publish_sharing_changed(self, changed: SharingChanged) -> None:
        """Publish that a conversation has become public, or is no longer public."""
        self._bus.publish("sharing", asdict(changed))

    def publish_read_state(self, state: ReadState) -> None:
        """Publish a user's unread counts."""
        self._bus.publish("read", asdict(state))

    def publish_thread_state(self, state: ThreadState) -> None:
        """Publish the state of a thread as one user sees it."""
        self._bus.publish("thread", asdict(state))

    def publish_read_receipt(self, changed: ReadReceiptChanged) -> None:
        """Publish how far a user has read."""
        fields = asdict(changed)
        fields["receipt"]["person"] = changed.receipt.person.to_fields()
        self._bus.publish("reader", fields)

    def publish_typing(self, typing: Typing) -> None:
        """Publish that a user is typing."""
        self._bus.publish("typing", asdict(typing) | {"person": typing.person.to_fields()})

    def publish_delta(self, delta: Delta) -> None:
        """Publish a delta of an answer."""
        self._bus.publish("delta", asdict(delta))

    def publish_presence(self, *, is_requested: bool = False) -> None:
        """Publish the presence of this process if it has changed, if `PRESENCE_SECONDS` have passed, or on request."""
        states = self._presence.local_states()
        published_at, published = self._published_presence
        if is_requested or states != published or time.monotonic() - published_at > PRESENCE_SECONDS:
            self._published_presence = (time.monotonic(), states)
            self._bus.publish("presence", [[user_id, state] for user_id, state in states.items()])

    def publish_uses(self) -> None:
        """Publish the uses of rate limits that were counted here since the last call."""
        if uses := self._rate_counters.take_unreported():
            self._bus.publish("uses", uses)

    def _on_commits(self, _process: str, numbers: dict[str, int]) -> None:
        self._queue.add_committed({parse_ref(name).wire_name: int(number) for name, number in numbers.items()})

    def _on_trimmed(self, _process: str, head: dict[str, Any]) -> None:
        self._broadcaster.broadcast_trimmed(Head(**_with_ref(head)))

    def _on_delta(self, _process: str, data: dict[str, Any]) -> None:
        delta = Delta(**_with_ref(data))
        if not self._answer_broadcaster.receive(delta):
            self._bus.publish("delta_request", [delta.conversation.kind, delta.conversation.id, delta.seq])

    def _on_members_changed(self, _process: str, changed: dict[str, Any]) -> None:
        self._broadcaster.broadcast_members_changed(MembersChanged(**_with_ref(changed)))

    def _on_read_state(self, _process: str, state: dict[str, Any]) -> None:
        self._broadcaster.broadcast_read_state(ReadState(**_with_ref(state)))

    def _on_thread_state(self, _process: str, state: dict[str, Any]) -> None:
        self._broadcaster.threads.broadcast(ThreadState(**_with_ref(state)))

    def _on_read_receipt(self, _process: str, changed: dict[str, Any]) -> None:
        receipt = changed["receipt"]
        receipt = ReadReceipt(Person(**receipt["person"]), receipt["seq"])
        self._broadcaster.broadcast_read_receipt(ReadReceiptChanged(**_with_ref(changed) | {"receipt": receipt}))

    def _on_typing(self, _process: str, typing: dict[str, Any]) -> None:
        person = Person(**typing["person"])
        self._broadcaster.broadcast_typing(Typing(**_with_ref(typing) | {"person": person}))


def _with_ref(data: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a value that another process has published, with the ref of its conversation."""
    return data | {"conversation": ConversationRef(**data["conversation"])}
