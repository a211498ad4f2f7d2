"""The one that emits what the core announces.

The writer announces in the order of its commits, on one thread, so a conversation's events leave in the order of their
numbers. What a listener misses all the same it finds out by the next event's number, or by the beacon.
"""

from collections.abc import Sequence

from flask import Flask

from chatapp.conversations.names import parse_name
from chatapp.conversations.queries import get_epoch
from chatapp.conversations.signals import sidebar_changed
from chatapp.errors import InvalidConversation
from chatapp.extensions import db, socketio
from chatapp.presentation.messages import present_backlog, present_message, present_news
from chatapp.presentation.read_state import present_read_state, present_reader
from chatapp.realtime.connection import list_sockets, user_channel
from chatapp.realtime.news import follow_news, news_channel
from chatapp.timeline import Head, TimelineMessage, list_heads
from chatapp.timeline.read_state import ReaderMoved, ReadState
from chatapp.timeline.signals import (
    Refusal,
    backlog_changed,
    message_changed,
    message_pending,
    message_posted,
    message_refused,
    message_saved,
    read_state_changed,
    reader_moved,
    timeline_trimmed,
)
from chatapp.timeline.writer import Backlog


class Broadcaster:
    """Brings what is committed to the sockets that listen in this process."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        message_posted.connect(self.tell_posted)
        message_changed.connect(self.tell_changed)
        message_pending.connect(self.tell_pending)
        message_saved.connect(self.tell_saved)
        message_refused.connect(self.tell_refused)
        timeline_trimmed.connect(self.tell_trimmed)
        backlog_changed.connect(self.tell_backlog)
        read_state_changed.connect(self.tell_read)
        reader_moved.connect(self.tell_reader)
        sidebar_changed.connect(self.follow_news)

    def tell_posted(self, message: TimelineMessage) -> None:
        """Emit a new message to everybody in its conversation, and to the others that there is one."""
        self.tell_pending(message)
        socketio.emit("news", present_news(message), to=news_channel(message.conversation))

    def tell_pending(self, message: TimelineMessage) -> None:
        """Emit a message that waits for the database to everybody in its conversation."""
        with self._app.app_context():
            socketio.emit("chat_message", present_message(message), to=message.conversation)

    def tell_changed(self, message: TimelineMessage) -> None:
        """Emit what a message is now."""
        with self._app.app_context():
            socketio.emit("message_changed", present_message(message), to=message.conversation)

    def tell_saved(self, message: TimelineMessage) -> None:
        """Emit what a message that waited has become."""
        socketio.emit("news", present_news(message), to=news_channel(message.conversation))
        with self._app.app_context():
            sender_id = message.sender and message.sender.id
            key = {"conversation": message.conversation, "sender_id": sender_id, "client_id": message.client_id}
            socketio.emit("message_saved", {**key, "message": present_message(message)}, to=message.conversation)

    def tell_refused(self, refusal: Refusal) -> None:
        """Emit that a message that waited will not stand in its conversation."""
        error = {"code": "conflict", "message": refusal.reason}
        key = {"conversation": refusal.conversation, "sender_id": refusal.sender_id, "client_id": refusal.client_id}
        socketio.emit("message_saved", {**key, "message": None, "error": error}, to=refusal.conversation)

    def tell_backlog(self, backlog: Backlog) -> None:
        """Let every page say that messages wait to be saved, or that they no longer do."""
        socketio.emit("backlog", present_backlog(backlog))

    def tell_read(self, state: ReadState) -> None:
        """Emit a person's counts to all of their own pages."""
        socketio.emit("unread_changed", present_read_state(state), to=user_channel(state.user_id))

    def tell_reader(self, moved: ReaderMoved) -> None:
        """Emit how far somebody has read."""
        told = {"conversation": moved.conversation, "reader": present_reader(moved.reader)}
        socketio.emit("messages_read", told, to=moved.conversation)

    def follow_news(self, user_ids: Sequence[int]) -> None:
        """Let people's sockets hear of what is new in the conversations that they are in now."""
        with self._app.app_context():
            for user_id in user_ids:
                if sids := list_sockets(user_channel(user_id)):
                    follow_news(user_id, sids)

    def tell_trimmed(self, head: Head) -> None:
        """Let pages drop what a cleanup removed."""
        with self._app.app_context():
            self._emit_heads([head])

    def beat(self) -> None:
        """Tell the heads of the conversations that somebody here listens to: whoever missed the last event sees it."""
        with self._app.app_context():
            self._emit_heads(list_heads(db.session(), listened_conversation_ids()))

    @staticmethod
    def _emit_heads(heads: Sequence[Head]) -> None:
        if not heads:
            return
        epoch = get_epoch(db.session())
        for head in heads:
            numbers = {"last_event": head.last_event, "floor": head.floor}
            told = {"epoch": epoch, "conversations": {head.conversation: numbers}}
            socketio.emit("heads", told, to=head.conversation)


def listened_conversation_ids() -> list[int]:
    """List the conversations that this process' sockets have joined."""
    found = []
    for channel in list(socketio.server.manager.rooms.get("/", {})):
        try:
            found.append(parse_name(channel).id)
        except InvalidConversation:
            continue  # The channel of a person, a sign-in or a socket.
    return found
