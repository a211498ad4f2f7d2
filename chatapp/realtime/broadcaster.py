"""Broadcasting: signals are emitted to the sockets of this process.

The writer sends its signals in the order of its commits, on one thread, so the events of a conversation are emitted in
the order of their numbers. Where several processes write, they go through `broadcast_queue.py`, and `ordering.py` keeps
that order. A client that nevertheless misses an event detects it by the number of the next event, or by a heartbeat.
"""

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import groupby
from time import time

import orjson
import structlog
from flask import Flask

from chatapp.conversations.refs import parse_ref
from chatapp.conversations.signals import MembersChanged, all_sidebars_changed, members_changed, sidebar_changed
from chatapp.credentials import SharingChanged, sharing_changed
from chatapp.custom_emoji.queries import EmojiImage
from chatapp.custom_emoji.signals import custom_emoji_changed
from chatapp.extensions import db
from chatapp.presentation.messages import get_message_presenter, present_backlog, present_news
from chatapp.presentation.read_state import present_read_receipt, present_read_state
from chatapp.realtime.application import Realtime
from chatapp.realtime.broadcast_queue import BroadcastQueue
from chatapp.realtime.channels import EVERYONE, news_channel, user_channel
from chatapp.realtime.drafts import present_draft_changed
from chatapp.realtime.eviction import Evictor
from chatapp.realtime.formatting import LateFormatting
from chatapp.realtime.heartbeats import emit_heads
from chatapp.realtime.news import update_news_channels
from chatapp.realtime.ordering import BroadcastEvent, EpochChangedError, EventsRead, TimelineOrder
from chatapp.realtime.saved import present_saved_changed
from chatapp.realtime.threads import ThreadStateBroadcaster
from chatapp.realtime.typing import Typing, typed
from chatapp.schedule.signals import ReminderChanged, ScheduledChanged, reminder_changed, scheduled_changed
from chatapp.storage import Backlog, backlog_changed
from chatapp.timeline import Head, TimelineMessage
from chatapp.timeline.epoch import get_epoch
from chatapp.timeline.new_events import read_new_events
from chatapp.timeline.read_markers import ReadState
from chatapp.timeline.signals import (
    DraftChanged,
    MessageRejected,
    ReadReceiptChanged,
    SavedChanged,
    draft_changed,
    message_changed,
    message_pending,
    message_rejected,
    message_saved,
    messages_posted,
    read_receipt_changed,
    read_state_changed,
    saved_changed,
    thread_state_changed,
    timeline_trimmed,
)

log = structlog.get_logger(__name__)

_log = logging.getLogger(__name__)
"""The logger behind `log`, which knows whether anybody wants its lines."""


class Broadcaster:
    """Emits the signals of conversations, timelines and the spool.

    `order` and `queue` are None if the installation has one process: its own commits are in order.
    """

    def __init__(self, app: Flask, realtime: Realtime, evictor: Evictor, *, is_single_process: bool) -> None:
        self._app = app
        self._realtime = realtime
        self._engine = realtime.engine
        self._server = realtime.server
        self._connections = realtime.connections
        self._presenter = get_message_presenter(app)
        self._fallback = realtime.fallback
        self._recent_changes = realtime.recent_changes
        self.order = (
            None
            if is_single_process
            else TimelineOrder(
                realtime.positions,
                read_events=self._read_events,
                emit=self._emit_events,
                evict=evictor.evict_from,
                has_listeners=realtime.connections.has_listeners,
            )
        )
        self.queue = BroadcastQueue(self.order) if self.order else None
        self.formatting = LateFormatting(realtime.server, self._presenter)
        self.threads = ThreadStateBroadcaster(app, realtime)
        self._custom_emoji: Sequence[EmojiImage] = ()
        signals = realtime.signals
        signals.connect(messages_posted, self.broadcast_posted)
        signals.connect(message_changed, self.broadcast_changed)
        signals.connect(message_pending, self.broadcast_pending)
        signals.connect(message_saved, self.broadcast_saved)
        signals.connect(message_rejected, self.broadcast_rejected)
        signals.connect(timeline_trimmed, self.broadcast_trimmed)
        signals.connect(backlog_changed, self.broadcast_backlog)
        signals.connect(read_state_changed, self.broadcast_read_state)
        signals.connect(thread_state_changed, self.threads.broadcast)
        signals.connect(read_receipt_changed, self.broadcast_read_receipt)
        signals.connect(saved_changed, self.broadcast_saved_changed)
        signals.connect(draft_changed, self.broadcast_draft_changed)
        signals.connect(sidebar_changed, self.broadcast_sidebar_changed)
        signals.connect(all_sidebars_changed, self.broadcast_all_sidebars_changed)
        signals.connect(members_changed, self.broadcast_members_changed)
        signals.connect(sharing_changed, self.broadcast_sharing_changed)
        signals.connect(scheduled_changed, self.broadcast_scheduled)
        signals.connect(reminder_changed, self.broadcast_reminder)
        signals.connect(typed, self.broadcast_typing)
        signals.connect(custom_emoji_changed, self.broadcast_custom_emoji)

    def broadcast_posted(self, messages: Sequence[TimelineMessage]) -> None:
        """Emit new messages to the sockets in their conversations, and as news to the others.

        Those of a conversation are emitted together, so that each socket receives them in one write.
        """
        if self.queue is not None:
            self.queue.add([BroadcastEvent(message, is_new=True) for message in messages])
            return
        by_conversation: dict[int, list[TimelineMessage]] = {}
        for message in messages:
            by_conversation.setdefault(message.conversation.id, []).append(message)
        for conversation_id, posted in by_conversation.items():
            try:
                self._emit_posted(posted)
            except Exception:
                # The messages of other conversations are emitted nevertheless.
                log.exception("broadcast failed", conversation_id=conversation_id)

    def broadcast_changed(self, message: TimelineMessage) -> None:
        """Emit a message that was edited, deleted or reacted to."""
        self._broadcast(BroadcastEvent(message, is_new=False))

    def broadcast_pending(self, message: TimelineMessage) -> None:
        """Emit a pending message."""
        self._emit_message(message)

    def broadcast_saved(self, message: TimelineMessage) -> None:
        """Emit a message that was pending and is now stored, also as news.

        If the message was broadcast already, as an event that was read from the database, it is not news again. Clients
        still wait for `message_saved`.
        """
        self._broadcast(BroadcastEvent(message, is_new=True, was_pending=True))

    def broadcast_rejected(self, rejected: MessageRejected) -> None:
        """Emit that a pending message was rejected."""
        error = rejected.error.as_dict()
        wire_name = rejected.conversation.wire_name
        key = {"conversation": wire_name, "sender_id": rejected.sender_id, "client_id": rejected.client_id}
        self._server.emit("message_saved", {**key, "message": None, "error": error}, to=wire_name)

    def broadcast_trimmed(self, head: Head) -> None:
        """Emit a conversation's new floor: pages remove the messages up to it."""
        self._fallback.forget_page(head.conversation)
        with self._app.app_context(), suppress(EpochChangedError):  # The heads of the new epoch are emitted soon.
            epoch = get_epoch(db.session())
            self._realtime.positions.check_epoch(epoch)
            emit_heads(self._server, epoch, [head])

    def broadcast_backlog(self, backlog: Backlog) -> None:
        """Emit the backlog to all sockets."""
        self._server.emit("backlog", present_backlog(backlog), to=EVERYONE)

    def broadcast_read_state(self, state: ReadState) -> None:
        """Emit a user's unread counts to the user's own sockets."""
        self._server.emit("unread_changed", present_read_state(state), to=self._change_list(state.user_id))

    def broadcast_saved_changed(self, changed: SavedChanged) -> None:
        """Emit that a user has saved a message, or no longer, to the user's own sockets."""
        self._server.emit("saved_changed", present_saved_changed(changed), to=user_channel(changed.user_id))

    def broadcast_draft_changed(self, changed: DraftChanged) -> None:
        """Emit a user's draft to the user's own sockets."""
        self._server.emit("draft_changed", present_draft_changed(changed), to=self._change_list(changed.user_id))

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
            {"conversation": wire_name, "thread": typing.thread, "user": {"id": person.id, "name": person.name}},
            to=wire_name,
            skip_sid=self._connections.list_sids(user_channel(person.id)),
        )

    def broadcast_sidebar_changed(self, user_ids: Sequence[int]) -> None:
        """Emit that users' lists of conversations have changed, and update the news that they receive."""
        with self._app.app_context():
            for user_id in user_ids:
                self._server.emit("sidebar_changed", {}, to=self._change_list(user_id))
            for user_id in user_ids:
                if sids := self._connections.list_sids(user_channel(user_id)):
                    update_news_channels(self._realtime, user_id, sids)

    def broadcast_all_sidebars_changed(self, _: None = None) -> None:
        """Emit to all sockets that their lists have changed. They receive the news of the same conversations."""
        self._recent_changes.add(EVERYONE)
        self._server.emit("sidebar_changed", {}, to=EVERYONE)

    def broadcast_custom_emoji(self, images: Sequence[EmojiImage]) -> None:
        """Emit to all sockets that there are other custom emoji."""
        if images != self._custom_emoji:
            self._custom_emoji = images
            self._server.emit("emoji_changed", {}, to=EVERYONE)

    def broadcast_scheduled(self, changed: ScheduledChanged) -> None:
        """Emit a change of a scheduled message to its author's own sockets."""
        payload = {"id": changed.id, "state": changed.state, "problem": changed.problem}
        self._server.emit("scheduled_changed", payload, to=self._change_list(changed.user_id))

    def broadcast_reminder(self, changed: ReminderChanged) -> None:
        """Emit a change of a reminder to the person's own sockets."""
        payload = {
            "id": changed.id,
            "state": changed.state,
            "content": changed.content,
            "conversation": changed.conversation,
            "seq": changed.seq,
        }
        self._server.emit("reminder_changed", payload, to=self._change_list(changed.user_id))

    def broadcast_members_changed(self, changed: MembersChanged) -> None:
        """Emit the number of members of a room, also to the sockets that may return to it."""
        wire_name = changed.conversation.wire_name
        payload = {"conversation": wire_name, "member_count": changed.member_count}
        for channel in (wire_name, news_channel(wire_name)):
            self._server.emit("members_changed", payload, to=channel)

    def broadcast_sharing_changed(self, changed: SharingChanged) -> None:
        """Emit that a conversation has become public, or is no longer public."""
        payload = {"conversation": changed.wire_name, "is_public": changed.is_public}
        self._server.emit("sharing_changed", payload, to=changed.wire_name)

    def _change_list(self, user_id: int) -> str:
        """Record that a user's list of conversations changes, and return the channel of the user's sockets."""
        channel = user_channel(user_id)
        self._recent_changes.add(channel)
        return channel

    def _broadcast(self, event: BroadcastEvent) -> None:
        """Emit an event: at once in a single process, otherwise on the thread of the queue."""
        if self.queue is not None:
            self.queue.add([event])
        else:
            self._emit_events([event])

    def _read_events(self, positions: Mapping[str, int]) -> EventsRead:
        cursors = {parse_ref(wire_name): after for wire_name, after in positions.items()}
        with self._app.app_context():
            page = read_new_events(db.session(), cursors)
        return EventsRead({ref.wire_name: events for ref, events in page.events.items()}, page.last_revocation)

    def _emit_events(self, events: Sequence[BroadcastEvent]) -> None:
        """Emit consecutive events of one conversation."""
        for is_posted, group in groupby(events, lambda event: event.is_new and not event.was_pending):
            if is_posted:
                self._emit_posted([event.message for event in group])
                continue
            for event in group:
                if event.was_pending:
                    self._emit_saved(event.message, is_news=event.is_due)
                else:
                    self._emit_changed(event.message)

    def _emit_changed(self, message: TimelineMessage) -> None:
        self._fallback.apply_event(message)
        wire_name = message.conversation.wire_name
        self._server.emit("message_changed", self._present(message), to=wire_name)
        _log_broadcast("message_changed", [message])

    def _emit_saved(self, message: TimelineMessage, *, is_news: bool) -> None:
        self._fallback.apply_event(message)
        if is_news:
            self._emit_news(message)
        wire_name = message.conversation.wire_name
        sender_id = message.sender and message.sender.id
        key = {"conversation": wire_name, "sender_id": sender_id, "client_id": message.client_id}
        self._server.emit("message_saved", {**key, "message": self._present(message)}, to=wire_name)

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
        channel = message.conversation.wire_name
        if self._connections.has_sockets(channel):  # Most messages of other processes are only news here.
            self._engine.emit("chat_message", self._present(message), channel)

    def _present(self, message: TimelineMessage) -> orjson.Fragment:
        presented = self._presenter.present(message)
        if not presented.is_final:
            self.formatting.add(message)
        return presented.with_html

    def _emit_news(self, message: TimelineMessage) -> None:
        self.threads.add(message)
        channel = news_channel(message.conversation.wire_name)
        self._recent_changes.add(channel)
        if self._connections.has_sockets(channel):
            self._engine.emit("news", present_news(message), channel)


def _log_broadcast(event: str, messages: Sequence[TimelineMessage]) -> None:
    """Log messages that have been emitted to the sockets of this process."""
    if _log.isEnabledFor(logging.DEBUG):
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
