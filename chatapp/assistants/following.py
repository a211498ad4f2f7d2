"""Following an answer from outside: for whoever has asked and waits."""

import queue
import time
from collections.abc import Iterator

from flask import Flask
from sqlalchemy import select

from chatapp.assistants.signals import Growth, answer_grew
from chatapp.extensions import db
from chatapp.models import Conversation, Message
from chatapp.timeline import TimelineMessage
from chatapp.timeline.answers import RUNNING
from chatapp.timeline.messages import fetch_message
from chatapp.timeline.signals import message_changed, message_posted

LOOK_AGAIN = 2.0
"""Seconds without news after which the database is asked: another process may be answering."""

Step = str | TimelineMessage | None
"""All that an answer says so far, the answer at its end, or nothing new."""


class Follower:
    """Hears what becomes of the answer to a question."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._heard: queue.Queue[Growth | TimelineMessage] = queue.Queue()

    def listen(self) -> None:
        """Begin to hear. To be called before the question is asked, with `close` at the end."""
        for signal in (answer_grew, message_posted, message_changed):
            signal.connect(self._hear)

    def close(self) -> None:
        """Hear no more."""
        for signal in (answer_grew, message_posted, message_changed):
            signal.disconnect(self._hear)

    def follow(self, question: TimelineMessage) -> Iterator[Step]:
        """Yield how the answer grows, and at last what it has become. Ends without that if it is gone."""
        seq: int | None = None
        looked_at = 0.0
        while True:
            try:
                heard = self._heard.get(timeout=LOOK_AGAIN)
            except queue.Empty:
                heard = None
            if heard is None or time.monotonic() - looked_at > LOOK_AGAIN:
                looked_at = time.monotonic()
                answer = self._find(question)
                if answer is None:
                    return
                seq = answer.seq
                if answer.state not in RUNNING:
                    yield answer
                    return
                yield None
            if heard is None or heard.conversation != question.conversation or heard.seq != seq:
                continue
            if isinstance(heard, Growth):
                yield heard.content
            elif heard.state not in RUNNING:
                yield heard
                return

    def _hear(self, told: Growth | TimelineMessage) -> None:
        self._heard.put(told)

    def _find(self, question: TimelineMessage) -> TimelineMessage | None:
        with self._app.app_context():
            row = db.session.execute(
                select(Conversation, Message.id)
                .join(Message, Message.conversation_id == Conversation.id)
                .where(
                    Conversation.id == question.conversation.id,
                    Message.reply_to == question.seq,
                    Message.sender_type == "assistant",
                    Message.deleted_at.is_(None),
                )
                .order_by(Message.seq)
                .limit(1)
            ).one_or_none()
            return None if row is None else fetch_message(db.session(), row[0], row[1])
