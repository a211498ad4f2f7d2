"""Subscription to the answer of one question, for an API client that waits for it."""

import threading
import time
from collections.abc import Iterator, Sequence

from flask import Flask
from sqlalchemy import select

from chatapp.actors import Actor, find_active_actors
from chatapp.assistants.signals import AnswerProgress, answer_progressed
from chatapp.conversations.refs import ConversationRef
from chatapp.extensions import db
from chatapp.models import Message
from chatapp.models.messages import RUNNING_STATES
from chatapp.signals import EXTENSION as SIGNALS
from chatapp.signals import Signals
from chatapp.timeline import TimelineMessage
from chatapp.timeline.messages import fetch_message
from chatapp.timeline.signals import message_changed, messages_posted

POLL_SECONDS = 2.0
"""Interval at which the database is polled: the worker of another process may run the answer."""

AnswerUpdate = str | TimelineMessage | None
"""The content of the answer so far, the final answer, or nothing new."""


class AnswerSubscription:
    """Receives the progress of an answer, from this process by signals and from others by polling.

    It ends when `actor` is banned, or their API token or login session revoked.
    """

    def __init__(self, app: Flask, actor: Actor, conversation: ConversationRef) -> None:
        self._app = app
        self._actor = actor
        self._conversation = conversation
        self._signals: Signals = app.extensions[SIGNALS]
        self._latest: dict[int | None, AnswerProgress | TimelineMessage] = {}
        """The last update of each answer that was received: a client may read slowly."""
        self._wake = threading.Event()

    def open(self) -> None:
        """Subscribe. Call it before the question is posted, and `close` at the end."""
        self._signals.connect(answer_progressed, self._receive)
        self._signals.connect(messages_posted, self._receive_posted)
        self._signals.connect(message_changed, self._receive)

    def close(self) -> None:
        """Unsubscribe."""
        self._signals.disconnect(answer_progressed, self._receive)
        self._signals.disconnect(messages_posted, self._receive_posted)
        self._signals.disconnect(message_changed, self._receive)

    def updates(self, question: TimelineMessage) -> Iterator[AnswerUpdate]:
        """Yield the growing content, then the final answer; not that if the answer was deleted or access ended."""
        seq: int | None = None
        polled_at = 0.0
        while True:
            has_received = self._wake.wait(POLL_SECONDS)
            self._wake.clear()
            if not has_received or time.monotonic() - polled_at > POLL_SECONDS:
                polled_at = time.monotonic()
                answer = self._find_answer(question)
                if answer is None:
                    return
                seq = answer.seq
                if answer.answer_state not in RUNNING_STATES:
                    yield answer
                    return
                yield None
            received = self._latest.pop(seq, None)
            if isinstance(received, AnswerProgress):
                yield received.content
            elif received is not None:
                yield received
                return

    def _receive_posted(self, messages: Sequence[TimelineMessage]) -> None:
        for message in messages:
            self._receive(message)

    def _receive(self, update: AnswerProgress | TimelineMessage) -> None:
        if update.conversation != self._conversation:
            return
        if isinstance(update, AnswerProgress):
            # The last progress of an answer follows its end.
            if not isinstance(self._latest.get(update.seq), TimelineMessage):
                self._latest[update.seq] = update
        elif update.sender_type == "assistant" and update.answer_state not in RUNNING_STATES:
            self._latest[update.seq] = update
        else:
            return
        self._wake.set()

    def _find_answer(self, question: TimelineMessage) -> TimelineMessage | None:
        with self._app.app_context():
            if not find_active_actors(db.session(), [self._actor]):
                return None
            row = db.session.execute(
                select(Message.id)
                .where(
                    Message.conversation_id == question.conversation.id,
                    Message.reply_to == question.seq,
                    Message.sender_type == "assistant",
                    Message.deleted_at.is_(None),
                )
                .order_by(Message.seq)
                .limit(1)
            ).one_or_none()
            return None if row is None else fetch_message(db.session(), question.conversation, row.id)
