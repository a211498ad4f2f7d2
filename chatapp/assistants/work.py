"""What the database knows of answers under way: who works on which, and what has become of them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import cast

from sqlalchemy import Select, Table, bindparam, select, update
from sqlalchemy.orm import Session

from chatapp.conversations.kinds import kind_of
from chatapp.conversations.names import ConversationName
from chatapp.conversations.people import Person
from chatapp.models import Answer, Conversation, Message, User, now
from chatapp.timeline import Transaction, write
from chatapp.timeline.answers import change_answer, find_locked

LEASE = timedelta(seconds=30)
"""How long a process is believed to work on an answer of which it tells nothing."""

ANSWERS, MESSAGES = cast(Table, Answer.__table__), cast(Table, Message.__table__)

_LEASE = update(ANSWERS).where(ANSWERS.c.id == bindparam("answer")).values(leased_until=bindparam("until"))
_KEEP = update(MESSAGES).where(MESSAGES.c.id == bindparam("message")).values(content=bindparam("kept"))

INTERRUPTED = "chatapp was restarted in the middle of this answer."


@dataclass(frozen=True, slots=True)
class Job:
    """An answer that this process works on."""

    answer_id: int
    message_id: int
    conversation: ConversationName
    is_private: bool
    """Whether nobody but the asker hears it."""
    seq: int
    reply_to: int
    assistant: str
    asker: Person


def is_work_open(session: Session) -> bool:
    """Tell whether any answer is not over."""
    return session.scalars(_select_open().limit(1)).one_or_none() is not None


def take_jobs(most: int, *, mine: Collection[int]) -> Sequence[Job]:
    """Take on up to `most` answers: in each conversation the first one, if nobody works on it.

    What is not among `mine` and has been told nothing of for `LEASE` was left by a process that is gone: it is
    interrupted.
    """

    def change(transaction: Transaction) -> list[Job]:
        session = transaction.session
        jobs: list[Job] = []
        busy: set[int] = set()
        for answer in session.scalars(_select_open()).all():
            if answer.leased_until is not None and answer.leased_until < now() and answer.id not in mine:
                _end(transaction, answer.conversation_id, answer.id, state="interrupted", problem=INTERRUPTED)
            elif answer.conversation_id not in busy:
                busy.add(answer.conversation_id)
                if answer.leased_until is None and len(jobs) < most and (job := _take(session, answer)):
                    jobs.append(job)
        return jobs

    return write(change)


def interrupt_orphans() -> None:
    """Interrupt all answers under way: this process has just started, and there is no other one."""

    def change(transaction: Transaction) -> None:
        for answer in transaction.session.scalars(_select_open().where(Answer.leased_until.is_not(None))).all():
            _end(transaction, answer.conversation_id, answer.id, state="interrupted", problem=INTERRUPTED)

    write(change)


def keep(grown: Sequence[tuple[Job, str]]) -> set[int]:
    """Store what there is of answers so far, all in one commit. Gives the ids of those of which more is wanted."""

    def change(transaction: Transaction) -> set[int]:
        session = transaction.session
        wanted = set(
            session.scalars(
                select(Answer.id)
                .join(Message, Message.id == Answer.message_id)
                .where(
                    Answer.id.in_([job.answer_id for job, _ in grown]),
                    Answer.ended_at.is_(None),
                    Answer.is_stopped.is_(False),
                    Message.deleted_at.is_(None),
                )
            )
        )
        kept = [(job, content) for job, content in grown if job.answer_id in wanted]
        if kept:
            connection = session.connection()
            connection.execute(_LEASE, [{"answer": job.answer_id, "until": now() + LEASE} for job, _ in kept])
            connection.execute(_KEEP, [{"message": job.message_id, "kept": content} for job, content in kept])
        return wanted

    return write(change)


def finish(job: Job, *, state: str, content: str, problem: str | None = None) -> None:
    """Store how an answer ended, if it is still wanted."""

    def change(transaction: Transaction) -> None:
        _end(transaction, job.conversation.id, job.answer_id, state=state, content=content, problem=problem)

    write(change)


def _select_open() -> Select[Answer]:
    return select(Answer).where(Answer.ended_at.is_(None)).order_by(Answer.id)


def _take(session: Session, answer: Answer) -> Job | None:
    """Lease an answer, unless another process has just done so."""
    is_free = (Answer.id == answer.id, Answer.ended_at.is_(None), Answer.leased_until.is_(None))
    lease = update(Answer).where(*is_free).values(leased_until=now() + LEASE).returning(Answer.id)
    if not session.scalars(lease).all():
        return None
    message, conversation, asker = session.execute(
        select(Message, Conversation, User)
        .join(Conversation, Conversation.id == Message.conversation_id)
        .join(User, User.id == answer.asker_id)
        .where(Message.id == answer.message_id)
    ).one()
    message.state = "streaming"
    return Job(
        answer_id=answer.id,
        message_id=message.id,
        conversation=ConversationName.of(conversation),
        is_private=kind_of(conversation).is_personal,
        seq=message.seq,
        reply_to=message.reply_to or message.seq,
        assistant=answer.assistant,
        asker=Person.of(asker),
    )


def _find_open(session: Session, answer_id: int) -> Answer | None:
    """Find the answer, if it is not over and its message not gone."""
    return session.scalars(
        select(Answer)
        .where(Answer.id == answer_id, Answer.ended_at.is_(None))
        .execution_options(populate_existing=True)
    ).one_or_none()


def _end(
    transaction: Transaction,
    conversation_id: int,
    answer_id: int,
    *,
    state: str,
    content: str | None = None,
    problem: str | None = None,
) -> None:
    session = transaction.session
    # Everybody locks the conversation before its answers.
    if find_locked(session, conversation_id) is None or (answer := _find_open(session, answer_id)) is None:
        return
    answer.ended_at = now()
    message = session.get_one(Message, answer.message_id, populate_existing=True)
    if message.deleted_at is None:
        change_answer(
            transaction,
            message,
            state=state,
            content=message.content if content is None else content,
            problem=problem and problem[:300],
        )
