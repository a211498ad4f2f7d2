"""Asking: what a person's message sets going is stored with it, or not at all."""

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta

from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from chatapp.actors import Actor, is_admin
from chatapp.assistant_config import EXTENSION as ASSISTANTS
from chatapp.assistant_config import Assistant
from chatapp.assistants.signals import answer_stopped
from chatapp.config import Settings
from chatapp.conversations.kinds import kind_of
from chatapp.conversations.names import ConversationName
from chatapp.conversations.policy import authorize_answer_control, authorize_posting
from chatapp.conversations.queries import find_access_of
from chatapp.conversations.signals import sidebar_changed
from chatapp.errors import Conflict, NotFound, RateLimited
from chatapp.models import Answer, Conversation, Message, now
from chatapp.timeline import TimelineMessage, Transaction, write
from chatapp.timeline.answers import RUNNING, begin_answer, change_answer, find_locked
from chatapp.timeline.mentions import find_names
from chatapp.timeline.messages import fetch_message
from chatapp.timeline.signals import MessagesStored, messages_stored

DAY = timedelta(hours=24)

AT_ONCE = 10
"""Answers that one person may wait for at once."""

TITLE_LENGTH = 60


class Asking:
    """Which assistants can be asked, and how often."""

    def __init__(self, assistants: Mapping[str, Assistant], daily_limit: int) -> None:
        self.assistants = assistants
        self.daily_limit = daily_limit


_asking = Asking({}, 0)
"""The writer has one thread for a process, and knows no application."""


def queue_answers(stored: MessagesStored) -> None:
    """Begin the answers to what people have asked: any message to an assistant, and one that names it elsewhere."""
    session = stored.transaction.session
    for message in stored.messages:
        if message.sender_type != "user" or message.sender is None:
            continue
        conversation = session.get_one(Conversation, message.conversation.id)
        kind = kind_of(conversation)
        if not kind.has_assistant and "@" not in message.content:
            continue
        for assistant in _asked(conversation, message):
            problem = find_obstacle(session, message.sender.id)
            answer = begin_answer(
                stored.transaction, conversation, name=assistant.display_name, question=message, problem=problem
            )
            if problem is None:
                _queue(session, answer, message.sender.id, assistant.name)
        if kind.is_titled_by_first_message and not conversation.name:
            conversation.name = make_title(message.content)
            stored.transaction.send_on_commit(sidebar_changed, [message.sender.id])


def ask_again(name: ConversationName, actor: Actor, seq: int) -> TimelineMessage:
    """Let an assistant answer once more, in the place of its answer numbered `seq`. Gives that as it is then.

    Raises what `authorize_posting` and `authorize_answer_control` raise, `NotFound`, `Conflict` while it still answers,
    and `RateLimited`.
    """

    def alter(transaction: Transaction, conversation: Conversation, message: Message) -> TimelineMessage:
        session = transaction.session
        if message.state in RUNNING:
            raise Conflict("This answer is still on its way. Stop it first.")
        if message.deleted_at is not None:
            raise Conflict("This message was deleted.")
        if problem := find_obstacle(session, actor.user_id):
            raise RateLimited(problem)
        last = session.scalars(
            select(Answer.assistant).where(Answer.message_id == message.id).order_by(Answer.id.desc()).limit(1)
        ).one_or_none()
        assistant = _asking.assistants.get(last or conversation.assistant or "")
        if assistant is None:
            raise Conflict("This assistant is not here any more.")
        _queue(session, message, actor.user_id, assistant.name)
        return change_answer(transaction, message, state="queued", content="")

    return write(_steer(name, actor, seq, alter))


def stop_answer(name: ConversationName, actor: Actor, seq: int) -> TimelineMessage:
    """End the answer numbered `seq` and keep what was said. Gives it as it is; the end follows at once.

    An answer that is over already stays as it is. Raises what `authorize_posting` and `authorize_answer_control` raise,
    and `NotFound`.
    """

    def alter(transaction: Transaction, conversation: Conversation, message: Message) -> TimelineMessage:
        session = transaction.session
        for answer in session.scalars(
            select(Answer)
            .where(Answer.message_id == message.id, Answer.ended_at.is_(None))
            .execution_options(populate_existing=True)
        ):
            answer.is_stopped = True
            if answer.leased_until is None:
                # Nobody works on it yet.
                answer.ended_at = now()
                return change_answer(transaction, message, state="stopped", content=message.content)
            transaction.send_on_commit(answer_stopped, message.id)
        return fetch_message(session, conversation, message.id)

    return write(_steer(name, actor, seq, alter))


def find_obstacle(session: Session, user_id: int) -> str | None:
    """Tell a person why no assistant will answer them now; none if one will."""
    waiting = select(func.count()).where(Answer.asker_id == user_id, Answer.ended_at.is_(None))
    if session.scalars(waiting).one() >= AT_ONCE:
        return f"{AT_ONCE} of your questions wait for an answer already. Ask again when there are fewer."
    asked = select(func.count()).where(Answer.asker_id == user_id, Answer.created_at > now() - DAY)
    if _asking.daily_limit and session.scalars(asked).one() >= _asking.daily_limit:
        return f"You have asked {_asking.daily_limit} times in 24 hours, which is the limit. Ask again later."
    return None


def make_title(content: str) -> str:
    """Make a session's title of its first message."""
    line = " ".join(content.split())
    return line if len(line) <= TITLE_LENGTH else line[: TITLE_LENGTH - 1].rsplit(" ", 1)[0].rstrip(",;:.") + "…"


def init_asking(app: Flask, settings: Settings) -> None:
    """Let whoever stores a message ask the assistants, be it the shell."""
    _asking.assistants, _asking.daily_limit = app.extensions[ASSISTANTS], settings.assistant_daily_limit
    messages_stored.connect(queue_answers)


def _asked(conversation: Conversation, message: TimelineMessage) -> Iterator[Assistant]:
    names = {conversation.assistant} if conversation.assistant else find_names(message.content)
    return (assistant for name, assistant in _asking.assistants.items() if name in names)


def _queue(session: Session, message: Message, asker_id: int, assistant: str) -> None:
    session.add(
        Answer(message_id=message.id, conversation_id=message.conversation_id, asker_id=asker_id, assistant=assistant)
    )
    session.flush()


def _steer(
    name: ConversationName,
    actor: Actor,
    seq: int,
    alter: Callable[[Transaction, Conversation, Message], TimelineMessage],
) -> Callable[[Transaction], TimelineMessage]:
    def change(transaction: Transaction) -> TimelineMessage:
        session = transaction.session
        place = find_access_of(session, name, actor)
        conversation = authorize_posting(*place)
        find_locked(session, conversation.id)
        message = session.scalars(
            select(Message)
            .where(Message.conversation_id == conversation.id, Message.seq == seq, Message.sender_type == "assistant")
            .execution_options(populate_existing=True)
        ).one_or_none()
        if message is None:
            raise NotFound("There is no such answer.")
        authorize_answer_control(message, actor, place.membership, is_admin=is_admin(session, actor))
        return alter(transaction, conversation, message)

    return change
