"""Several processes on one database: what each of them tells the others, and what it does with what it hears.

Messages are not among it: that a conversation has got further is, and each process reads them from the database.
"""

import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from flask import Flask

from chatapp.accounts.signals import login_sessions_revoked
from chatapp.conversations.names import ConversationName
from chatapp.conversations.people import Person
from chatapp.conversations.signals import MembershipRevoked, membership_revoked, sidebar_changed
from chatapp.realtime.assistants import AnswerBroadcaster, Delta, delta_created
from chatapp.realtime.broadcaster import Broadcaster
from chatapp.realtime.bus import Bus
from chatapp.realtime.connection import disconnect_login_sessions, remove_from_conversation, tell_sidebar_changed
from chatapp.realtime.presence import presence
from chatapp.realtime.typing import Typing, typed
from chatapp.timeline import TimelineMessage
from chatapp.timeline.read_state import ReadReceipt, ReadReceiptChanged, ReadState
from chatapp.timeline.signals import (
    message_changed,
    message_posted,
    message_saved,
    read_receipt_changed,
    read_state_changed,
)

PRESENCE_PERIOD = 5.0
"""Seconds between two times that a process says who is connected to it, if nothing changes."""


class Processes:
    """This process among the others."""

    def __init__(self, app: Flask, broadcaster: Broadcaster, answer_broadcaster: AnswerBroadcaster, bus: Bus) -> None:
        self._app = app
        self._broadcaster = broadcaster
        self._answer_broadcaster = answer_broadcaster
        self._bus = bus
        self._last_picture: tuple[float, dict[int, str]] = (0.0, {})
        for signal in (message_posted, message_changed, message_saved):
            signal.connect(self.tell_timeline)
        login_sessions_revoked.connect(self.tell_login_sessions_revoked)
        membership_revoked.connect(self.tell_membership_revoked)
        sidebar_changed.connect(self.tell_sidebar_changed)
        read_state_changed.connect(self.tell_read)
        read_receipt_changed.connect(self.tell_reader)
        typed.connect(self.tell_typing)
        delta_created.connect(self.tell_delta)
        bus.on("timeline", self._hear_timeline)
        bus.on("login_sessions_revoked", lambda _, ids: disconnect_login_sessions(ids))
        bus.on("membership_revoked", lambda _, ended: remove_from_conversation(MembershipRevoked(**ended)))
        bus.on("sidebar_changed", self._hear_sidebar_changed)
        bus.on("read", self._hear_read)
        bus.on("reader", self._hear_reader)
        bus.on("delta", lambda _, delta: self._answer_broadcaster.broadcast(Delta(**delta)))
        bus.on("typing", self._hear_typing)
        bus.on("presence", self._hear_presence)
        bus.on("hello", lambda *_: self.tell_presence(is_asked=True))
        bus.on_connected(lambda: bus.publish("hello", None))

    def tell_timeline(self, message: TimelineMessage) -> None:
        """Tell how far a conversation has got."""
        self._bus.publish("timeline", [message.conversation.wire_name, message.version])

    def tell_login_sessions_revoked(self, session_ids: list[int]) -> None:
        """Tell which sign-ins have ended."""
        self._bus.publish("login_sessions_revoked", session_ids)

    def tell_membership_revoked(self, ended: MembershipRevoked) -> None:
        """Tell who may read a conversation no longer."""
        self._bus.publish("membership_revoked", asdict(ended))

    def tell_sidebar_changed(self, user_ids: Sequence[int]) -> None:
        """Tell whose list of conversations is another one."""
        self._bus.publish("sidebar_changed", list(user_ids))

    def tell_read(self, state: ReadState) -> None:
        """Tell a person's mark."""
        self._bus.publish("read", asdict(state))

    def tell_reader(self, moved: ReadReceiptChanged) -> None:
        """Tell how far somebody has read."""
        self._bus.publish("reader", asdict(moved))

    def tell_typing(self, typing: Typing) -> None:
        """Tell who is writing."""
        self._bus.publish("typing", asdict(typing))

    def tell_delta(self, delta: Delta) -> None:
        """Tell what is new of an answer."""
        self._bus.publish("delta", asdict(delta))

    def tell_presence(self, *, is_asked: bool = False) -> None:
        """Tell who is connected here, if that has changed, was long ago, or is asked for."""
        picture = presence.local_picture()
        told_at, told = self._last_picture
        if is_asked or picture != told or time.monotonic() - told_at > PRESENCE_PERIOD:
            self._last_picture = (time.monotonic(), picture)
            self._bus.publish("presence", [[user_id, state] for user_id, state in picture.items()])

    def _hear_timeline(self, _process: str, told: list[Any]) -> None:
        self._broadcaster.hear_of(*told)

    def _hear_sidebar_changed(self, _process: str, user_ids: list[int]) -> None:
        tell_sidebar_changed(user_ids)
        self._broadcaster.follow_news(user_ids)

    def _hear_read(self, _process: str, state: dict[str, Any]) -> None:
        self._broadcaster.tell_read(ReadState(**state | {"conversation": ConversationName(**state["conversation"])}))

    def _hear_reader(self, _process: str, moved: dict[str, Any]) -> None:
        reader = moved["reader"]
        self._broadcaster.tell_reader(
            ReadReceiptChanged(
                ConversationName(**moved["conversation"]), ReadReceipt(Person(**reader["person"]), reader["seq"])
            )
        )

    def _hear_typing(self, _process: str, typing: dict[str, Any]) -> None:
        self._broadcaster.tell_typing(Typing(typing["conversation"], Person(**typing["person"])))

    def _hear_presence(self, process: str, picture: list[tuple[int, str]]) -> None:
        presence.hear(process, dict(picture))
