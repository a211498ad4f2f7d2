"""Broadcasting: signals are emitted to the sockets of this process.

The writer sends its signals in the order of its commits, on one thread, so the events of a conversation are emitted in
the order of their numbers. Where several processes write, `ordering.py` keeps that order. A client that nevertheless
misses an event detects it by the number of the next event, or by a heartbeat.
"""

import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import groupby
from time import time

import structlog
from flask import Flask

from chatapp.conversations.refs import parse_ref
from chatapp.conversations.signals import sidebar_changed
from chatapp.credentials import SharingChanged, sharing_changed
from chatapp.extensions import db
from chatapp.models import Conversation
from chatapp.presentation.messages import get_message_presenter, present_backlog, present_news
from chatapp.presentation.read_state import present_read_receipt, present_read_state
from chatapp.realtime.application import Realtime
from chatapp.realtime.channels import EVERYONE, news_channel, user_channel
from chatapp.realtime.eviction import Evictor
from chatapp.realtime.heartbeats import emit_heads
from chatapp.realtime.news import update_news_channels
from chatapp.realtime.ordering import TimelineOrder
from chatapp.realtime.typing import Typing, typed
from chatapp.storage import Backlog, backlog_changed
from chatapp.timeline import Head, TimelineMessage
from chatapp.timeline.read_markers import ReadState
from chatapp.timeline.reading import CATCH_UP_SIZE, list_events
from chatapp.timeline.signals import (
    MessageRejected,
    ReadReceiptChanged,
    message_changed,
    message_pending,
    message_rejected,
    message_saved,
    messages_posted,
    read_receipt_changed,
    read_state_changed,
    timeline_trimmed,
)

log = structlog.get_logger(__name__)


class Broadcaster:
    """Emits the signals of conversations, timelines and the spool.

    `order` is None if the installation has one process: its own commits are in order.
    """

    def __init__(self, app: Flask, realtime: Realtime, evictor: Evictor, *, is_single_process: bool) -> None:
        self._app = app
        self._realtime = realtime
        self._server = realtime.server
        self._connections = realtime.connections
        self._presenter = get_message_presenter(app)
        self._fallback = realtime.fallback
        self._evictor = evictor
        self.order = (
            None
            if is_single_process
            else TimelineOrder(
                realtime.positions,
                read_events=self._read_events,
                emit=self._emit_event,
                evict=lambda wire_name: evictor.evict_from([wire_name]),
                has_listeners=realtime.connections.has_listeners,
            )
        )
        signals = realtime.signals
        signals.connect(messages_posted, self.broadcast_posted)
        signals.connect(message_changed, self.broadcast_changed)
        signals.connect(message_pending, self.broadcast_pending)
        signals.connect(message_saved, self.broadcast_saved)
        signals.connect(message_rejected, self.broadcast_rejected)
        signals.connect(timeline_trimmed, self.broadcast_trimmed)
        signals.connect(backlog_changed, self.broadcast_backlog)
        signals.connect(read_state_changed, self.broadcast_read_state)
        signals.connect(read_receipt_changed, self.broadcast_read_receipt)
        signals.connect(sidebar_changed, self.broadcast_sidebar_changed)
        signals.connect(sharing_changed, self.broadcast_sharing_changed)
        signals.connect(typed, self.broadcast_typing)

    def broadcast_posted(self, messages: Sequence[TimelineMessage]) -> None:
        """Emit new messages to the sockets in their conversations, and as news to the others.

        Those of a conversation are emitted together, so that each socket receives them in one write.
        """
        self._evict_from(messages)
        for conversation_id, group in groupby(sorted(messages, key=_get_conversation_id), _get_conversation_id):
            try:
                self._broadcast_posted_together(list(group))
            except Exception:
                # The messages of other conversations are emitted nevertheless.
                log.exception("broadcast failed", conversation_id=conversation_id)

    def broadcast_changed(self, message: TimelineMessage) -> None:
        """Emit a message that was edited, deleted or reacted to."""
        self._evict_from([message])
        with self._in_order(message) as is_due:
            if is_due:
                self._emit_event(message, is_new=False)

    def broadcast_pending(self, message: TimelineMessage) -> None:
        """Emit a pending message."""
        self._emit_message(message)

    def broadcast_saved(self, message: TimelineMessage) -> None:
        """Emit a message that was pending and is now stored, also as news.

        If the message was broadcast already, as an event that was read from the database, it is not news again. Clients
        still wait for `message_saved`.
        """
        self._evict_from([message])
        with self._in_order(message) as is_due:
            self._fallback.apply_event(message)
            if is_due:
                self._emit_news(message)
            wire_name = message.conversation.wire_name
            sender_id = message.sender and message.sender.id
            key = {"conversation": wire_name, "sender_id": sender_id, "client_id": message.client_id}
            self._server.emit(
                "message_saved", {**key, "message": self._presenter.present(message).with_html}, to=wire_name
            )

    def broadcast_rejected(self, rejected: MessageRejected) -> None:
        """Emit that a pending message was rejected."""
        error = rejected.error.as_dict()
        wire_name = rejected.conversation.wire_name
        key = {"conversation": wire_name, "sender_id": rejected.sender_id, "client_id": rejected.client_id}
        self._server.emit("message_saved", {**key, "message": None, "error": error}, to=wire_name)

    def broadcast_trimmed(self, head: Head) -> None:
        """Emit a conversation's new floor: pages remove the messages up to it."""
        self._fallback.forget_page(head.conversation)
        with self._app.app_context():
            emit_heads(self._server, [head])

    def broadcast_backlog(self, backlog: Backlog) -> None:
        """Emit the backlog to all sockets."""
        self._server.emit("backlog", present_backlog(backlog), to=EVERYONE)

    def broadcast_read_state(self, state: ReadState) -> None:
        """Emit a user's unread counts to the user's own sockets."""
        self._server.emit("unread_changed", present_read_state(state), to=user_channel(state.user_id))

    def broadcast_read_receipt(self, changed: ReadReceiptChanged) -> None:
        """Emit how far a user has read."""
        wire_name = changed.conversation.wire_name
        payload = {"conversation": wire_name, "reader": present_read_receipt(changed.receipt)}
        self._server.emit("messages_read", payload, to=wire_name)

    def broadcast_typing(self, typing: Typing) -> None:
        """Emit that a user is typing, to the other users."""
        person, wire_name = typing.person, typing.conversation.wire_name
        self._server.emit(
            "typing",
            {"conversation": wire_name, "user": {"id": person.id, "name": person.name}},
            to=wire_name,
            skip_sid=self._connections.list_sids(user_channel(person.id)),
        )

    def broadcast_sidebar_changed(self, user_ids: Sequence[int]) -> None:
        """Emit that users' lists of conversations have changed, and update the news that they receive."""
        with self._app.app_context():
            for user_id in user_ids:
                self._server.emit("sidebar_changed", {}, to=user_channel(user_id))
            for user_id in user_ids:
                if sids := self._connections.list_sids(user_channel(user_id)):
                    update_news_channels(self._realtime, user_id, sids)

    def broadcast_sharing_changed(self, changed: SharingChanged) -> None:
        """Emit that a conversation has become public, or is no longer public."""
        payload = {"conversation": changed.wire_name, "is_public": changed.is_public}
        self._server.emit("sharing_changed", payload, to=changed.wire_name)

    def _broadcast_posted_together(self, messages: Sequence[TimelineMessage]) -> None:
        if self.order is None:
            self._emit_posted(messages)
            return
        # Between them there may be events of other processes.
        for message in messages:
            with self._in_order(message) as is_due:
                if is_due:
                    self._emit_posted([message])

    def _evict_from(self, messages: Sequence[TimelineMessage]) -> None:
        """Remove the sockets that may no longer read these messages, which are stored. One query serves all of them.

        One process knows of each revocation when it happens. Of several, another one may have revoked something.
        """
        if self.order is not None:
            self._evictor.evict_from({message.conversation.wire_name for message in messages})

    def _in_order(self, message: TimelineMessage) -> AbstractContextManager[bool]:
        """Broadcast all events before this one. The context's value is whether this one is still to be broadcast."""
        if self.order is None or message.version is None:
            return nullcontext(True)
        return self.order.before(message.conversation.wire_name, message.version)

    def _read_events(self, wire_name: str, after: int) -> tuple[Sequence[TimelineMessage], bool]:
        with self._app.app_context():
            row = db.session.get_one(Conversation, parse_ref(wire_name).id)
            events = list_events(db.session(), row, after=after)
        return events, len(events) == CATCH_UP_SIZE

    def _emit_event(self, message: TimelineMessage, is_new: bool) -> None:  # noqa: FBT001 - a callback's argument
        if is_new:
            self._emit_posted([message])
        else:
            self._fallback.apply_event(message)
            wire_name = message.conversation.wire_name
            self._server.emit("message_changed", self._presenter.present(message).with_html, to=wire_name)
            _log_broadcast("message_changed", [message])

    def _emit_posted(self, messages: Sequence[TimelineMessage]) -> None:
        """Emit new messages of one conversation."""
        for message in messages:
            self._fallback.apply_event(message)
            self._emit_message(message)
            self._realtime.delivery_seconds.add(time() - message.created_at.timestamp())
        # Not in between: they are for other sockets.
        for message in messages:
            self._emit_news(message)
        _log_broadcast("chat_message", messages)

    def _emit_message(self, message: TimelineMessage) -> None:
        payload = self._presenter.present(message).with_html
        self._server.emit("chat_message", payload, to=message.conversation.wire_name)

    def _emit_news(self, message: TimelineMessage) -> None:
        channel = news_channel(message.conversation.wire_name)
        if self._connections.has_sockets(channel):
            self._server.emit("news", present_news(message), to=channel)


def _log_broadcast(event: str, messages: Sequence[TimelineMessage]) -> None:
    """Log messages that have been emitted to the sockets of this process."""
    if logging.getLogger(__name__).isEnabledFor(logging.DEBUG):
        for message in messages:
            request_id = {"request_id": message.request_id} if message.request_id else {}
            log.debug(
                "message broadcast",
                socket_event=event,
                message_id=message.id,
                conversation=message.conversation.wire_name,
                version=message.version,
                **request_id,
            )


def _get_conversation_id(message: TimelineMessage) -> int:
    return message.conversation.id
