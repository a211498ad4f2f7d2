"""The one that emits what the core announces.

The writer announces in the order of its commits, on one thread, so a conversation's events leave in the order of their
numbers. What a listener misses all the same it finds out by the next event's number, or by the beacon.
"""

import time
from collections.abc import Sequence

from flask import Flask

from chatapp.conversations.names import parse_name
from chatapp.conversations.queries import get_epoch
from chatapp.errors import InvalidConversation
from chatapp.extensions import db, socketio
from chatapp.presentation.messages import present_message
from chatapp.timeline import Head, TimelineMessage, list_heads
from chatapp.timeline.signals import message_posted, timeline_trimmed


class Broadcaster:
    """Brings what is committed to the sockets that listen in this process."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        message_posted.connect(self.tell_posted)
        timeline_trimmed.connect(self.tell_trimmed)

    def tell_posted(self, message: TimelineMessage) -> None:
        """Emit a new message to everybody in its conversation."""
        with self._app.app_context():
            socketio.emit("chat_message", present_message(message), to=message.conversation)

    def tell_trimmed(self, head: Head) -> None:
        """Let pages drop what a cleanup removed."""
        with self._app.app_context():
            self._emit_heads([head])

    def beat(self) -> None:
        """Tell the heads of the conversations that somebody here listens to: whoever missed the last event sees it."""
        with self._app.app_context():
            self._emit_heads(list_heads(db.session(), listened_conversation_ids()))

    def beat_forever(self, interval: float) -> None:
        """Beat every `interval` seconds."""
        while True:
            time.sleep(interval)
            try:
                self.beat()
            except Exception:
                # The database may be away; the next beat comes.
                self._app.logger.warning("heads not told", exc_info=True)

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
