"""Requests of users: a message to an assistant queues an answer; an answer can be stopped and regenerated."""

from collections.abc import Iterator, Mapping
from datetime import timedelta

from flask import Flask, current_app
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from chatapp.actors import Actor, is_admin
from chatapp.assistants.signals import answer_stopped
from chatapp.assistants.titles import make_title
from chatapp.config import Settings
from chatapp.config.assistants import EXTENSION as ASSISTANTS
from chatapp.config.assistants import Assistant
from chatapp.conversations.kinds import has_assistant, kind_of
from chatapp.conversations.policy import authorize_answer_control, authorize_posting
from chatapp.conversations.queries import find_access_of
from chatapp.conversations.refs import ConversationRef
from chatapp.conversations.signals import sidebar_changed
from chatapp.errors import Conflict, NotFound, RateLimited
from chatapp.files.rows import take_files
from chatapp.mention_names import find_names
from chatapp.models import Answer, AssistantUsage, Conversation, Message, now
from chatapp.models.messages import RUNNING_STATES
from chatapp.signals import EXTENSION as SIGNALS
from chatapp.signals import Signals
from chatapp.storage import Transaction, write
from chatapp.timeline import TimelineMessage
from chatapp.timeline.answers import create_answer, update_answer
from chatapp.timeline.content import TEXT
from chatapp.timeline.event_numbers import lock_conversation
from chatapp.timeline.messages import fetch_message
from chatapp.timeline.signals import MessagesStored, messages_stored

EXTENSION = "chatapp.answer_requests"
"""Key of the application's `AnswerRequests` in `app.extensions`."""

DAILY_LIMIT_WINDOW = timedelta(hours=24)

MAX_OPEN_ANSWERS = 10
"""Answers that one user may wait for at the same time."""


class AnswerRequests:
    """Queues the answers of one application.

    `queue_answers` runs on the writer's native thread, outside of any application context: the object holds what it
    needs of its application.
    """

    def __init__(self, assistants: Mapping[str, Assistant], settings: Settings) -> None:
        self._assistants = assistants
        self._daily_limit = settings.assistant_daily_limit

    def queue_answers(self, stored: MessagesStored) -> None:
        """Queue the answers to new messages, in their transaction.

        Every message of a user in a conversation with an assistant is a question, elsewhere a message that mentions it.
        Notices (type `system`) are not.
        """
        transaction = stored.transaction
        for message in stored.messages:
            if message.sender_type != "user" or message.sender is None or message.message_type != TEXT:
                continue
            # Most messages are no questions: do not look up the rows of their conversations.
            if not has_assistant(message.conversation) and find_names(message.content).isdisjoint(self._assistants):
                continue
            conversation = transaction.session.get_one(Conversation, message.conversation.id)
            kind = kind_of(conversation)
            for assistant in self._find_addressed(conversation, message):
                self._queue_answer(transaction, conversation, message, message.sender.id, assistant)
            if kind.is_titled_by_first_message and not conversation.name:
                conversation.name = make_title(message.content)
                transaction.send_on_commit(sidebar_changed, [message.sender.id])

    def regenerate(self, ref: ConversationRef, actor: Actor, seq: int) -> TimelineMessage:
        """Queue another answer that replaces the answer `seq`, and return that message as it is then.

        Raises what `authorize_posting` and `authorize_answer_control` raise, `NotFound`, `RateLimited`, and `Conflict`
        while the answer is not over.
        """

        def change(transaction: Transaction) -> TimelineMessage:
            session = transaction.session
            conversation, message = _get_answer_message(session, ref, actor, seq)
            if message.state in RUNNING_STATES:
                raise Conflict("This answer is still being written. Stop it first.")
            if message.deleted_at is not None:
                raise Conflict("This message was deleted.")
            if message.reply_to is None:
                raise Conflict("This message answers no question.")
            if problem := self._find_exceeded_limit(session, actor.user_id):
                raise RateLimited(problem)
            last_assistant = session.scalars(
                select(Answer.assistant).where(Answer.message_id == message.id).order_by(Answer.id.desc()).limit(1)
            ).one_or_none()
            assistant = self._assistants.get(last_assistant or conversation.assistant or "")
            if assistant is None:
                raise Conflict("This assistant is no longer available.")
            _add_answer(session, message, actor.user_id, assistant)
            take_files(session, message.id)
            return update_answer(transaction, message, state="queued", content="")

        return write(change, locks=[ref.id])

    def _find_addressed(self, conversation: Conversation, message: TimelineMessage) -> Iterator[Assistant]:
        names = {conversation.assistant} if conversation.assistant else find_names(message.content)
        return (assistant for name, assistant in self._assistants.items() if name in names)

    def _queue_answer(
        self,
        transaction: Transaction,
        conversation: Conversation,
        question: TimelineMessage,
        asker_id: int,
        assistant: Assistant,
    ) -> None:
        problem = self._find_exceeded_limit(transaction.session, asker_id)
        message = create_answer(
            transaction, conversation, assistant_name=assistant.display_name, question=question, problem=problem
        )
        if problem is None:
            _add_answer(transaction.session, message, asker_id, assistant)

    def _find_exceeded_limit(self, session: Session, user_id: int) -> str | None:
        """Return the message about a limit that the user has reached; None if they may ask."""
        open_answers = select(func.count()).where(Answer.asker_id == user_id, Answer.ended_at.is_(None))
        if session.scalars(open_answers).one() >= MAX_OPEN_ANSWERS:
            return f"You already have {MAX_OPEN_ANSWERS} unanswered questions. Wait for an answer, then ask again."
        recent_questions = select(func.count()).where(
            AssistantUsage.user_id == user_id, AssistantUsage.asked_at > now() - DAILY_LIMIT_WINDOW
        )
        if self._daily_limit and session.scalars(recent_questions).one() >= self._daily_limit:
            return f"You have reached the limit of {self._daily_limit} questions in 24 hours. Try again later."
        return None


def stop_answer(ref: ConversationRef, actor: Actor, seq: int) -> TimelineMessage:
    """Stop the answer `seq`; its content so far is kept. Return the message, whose final state follows soon.

    An answer that is over stays as it is. Raises what `authorize_posting` and `authorize_answer_control` raise, and
    `NotFound`.
    """

    def change(transaction: Transaction) -> TimelineMessage:
        session = transaction.session
        _conversation, message = _get_answer_message(session, ref, actor, seq)
        for answer in session.scalars(
            select(Answer)
            .where(Answer.message_id == message.id, Answer.ended_at.is_(None))
            .execution_options(populate_existing=True)
        ):
            answer.is_stopped = True
            if answer.leased_until is None:
                # No worker has claimed it that would end it.
                answer.ended_at = now()
                return update_answer(transaction, message, state="stopped", content=message.content)
            transaction.send_on_commit(answer_stopped, message.id)
        return fetch_message(session, ref, message.id)

    return write(change, locks=[ref.id])


def init_answer_requests(app: Flask, settings: Settings) -> None:
    """Queue answers to all messages that the application stores, those of its shell commands included."""
    signals: Signals = app.extensions[SIGNALS]
    app.extensions[EXTENSION] = requests = AnswerRequests(app.extensions[ASSISTANTS], settings)
    signals.connect(messages_stored, requests.queue_answers)


def current_answer_requests() -> AnswerRequests:
    """Return the `AnswerRequests` of the current application."""
    requests: AnswerRequests = current_app.extensions[EXTENSION]
    return requests


def _add_answer(session: Session, message: Message, asker_id: int, assistant: Assistant) -> None:
    session.add(
        Answer(
            message_id=message.id,
            conversation_id=message.conversation_id,
            asker_id=asker_id,
            assistant=assistant.key,
        )
    )
    session.execute(
        delete(AssistantUsage).where(
            AssistantUsage.user_id == asker_id, AssistantUsage.asked_at <= now() - DAILY_LIMIT_WINDOW
        )
    )
    session.add(AssistantUsage(user_id=asker_id))
    session.flush()


def _get_answer_message(session: Session, ref: ConversationRef, actor: Actor, seq: int) -> tuple[Conversation, Message]:
    """Lock the conversation and return it with the message of the answer `seq`, if the actor may control that."""
    access = find_access_of(session, ref, actor)
    conversation = authorize_posting(*access)
    lock_conversation(session, conversation.id)
    message = session.scalars(
        select(Message)
        .where(Message.conversation_id == conversation.id, Message.seq == seq, Message.sender_type == "assistant")
        .execution_options(populate_existing=True)
    ).one_or_none()
    if message is None:
        raise NotFound("There is no such answer.")
    authorize_answer_control(message, actor, access.membership, is_admin=is_admin(session, actor))
    return conversation, message
