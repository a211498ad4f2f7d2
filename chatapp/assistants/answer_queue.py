"""The queue of answers in the database: a worker claims a job, extends its lease while it runs, and finishes it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import cast

from sqlalchemy import Select, Table, bindparam, select, update
from sqlalchemy.orm import Session

from chatapp.conversations.kinds import kind_of
from chatapp.conversations.people import Person
from chatapp.conversations.refs import ConversationRef
from chatapp.files.attached import AttachedFile
from chatapp.files.rows import store_files
from chatapp.models import Answer, Conversation, Message, User, now
from chatapp.storage import Transaction, write
from chatapp.timeline.answers import update_answer
from chatapp.timeline.event_numbers import lock_conversation
from chatapp.timeline.metadata import Metadata

LEASE_DURATION = timedelta(seconds=30)
"""Time without a saved progress after which the process that claimed a job is assumed to have crashed."""

MAX_PROBLEM_CHARS = 300

INTERRUPTED_PROBLEM = "chatapp restarted while this answer was being written."

_ANSWERS, _MESSAGES = cast(Table, Answer.__table__), cast(Table, Message.__table__)
_EXTEND_LEASE = update(_ANSWERS).where(_ANSWERS.c.id == bindparam("answer")).values(leased_until=bindparam("new_lease"))
_SAVE_CONTENT = update(_MESSAGES).where(_MESSAGES.c.id == bindparam("message")).values(content=bindparam("new_content"))


@dataclass(frozen=True, slots=True)
class Job:
    """An answer that this process has claimed."""

    answer_id: int
    message_id: int
    conversation: ConversationRef
    is_private: bool
    """Whether only the asker reads the conversation."""
    seq: int
    reply_to: int
    assistant: str
    asker: Person


def has_open_answers(session: Session) -> bool:
    """Return whether any answer is queued or claimed."""
    return session.scalars(_select_open().limit(1)).one_or_none() is not None


def claim_jobs(limit: int, *, running: Collection[int]) -> Sequence[Job]:
    """Claim up to `limit` answers: in each conversation the oldest open one, if nobody has claimed it.

    Answers whose lease has expired belonged to a process that died: they are interrupted, except those in `running`,
    the ids of the answers that this process runs.
    """

    def change(transaction: Transaction) -> list[Job]:
        session = transaction.session
        jobs: list[Job] = []
        busy_conversations: set[int] = set()
        for answer in session.scalars(_select_open()).all():
            if answer.leased_until is not None and answer.leased_until < now() and answer.id not in running:
                _interrupt(transaction, answer)
            elif answer.conversation_id not in busy_conversations:
                busy_conversations.add(answer.conversation_id)
                if answer.leased_until is None and len(jobs) < limit and (job := _claim(session, answer)):
                    jobs.append(job)
        return jobs

    return write(change)


def interrupt_orphans(*, running: Collection[int]) -> None:
    """Interrupt all claimed answers except those in `running`. Only for an installation with a single process."""

    def change(transaction: Transaction) -> None:
        for answer in transaction.session.scalars(_select_open().where(Answer.leased_until.is_not(None))).all():
            if answer.id not in running:
                _interrupt(transaction, answer)

    write(change)


def save_progress(progress: Sequence[tuple[Job, str]]) -> set[int]:
    """Save the content of answers so far and extend their leases, all in one commit.

    Return the ids of the answers that continue; the others were stopped or deleted.
    """

    def change(transaction: Transaction) -> set[int]:
        session = transaction.session
        continuing = set(
            session.scalars(
                select(Answer.id)
                .join(Message, Message.id == Answer.message_id)
                .where(
                    Answer.id.in_([job.answer_id for job, _ in progress]),
                    Answer.ended_at.is_(None),
                    Answer.is_stopped.is_(False),
                    Message.deleted_at.is_(None),
                )
            )
        )
        saved = [(job, content) for job, content in progress if job.answer_id in continuing]
        if saved:
            connection, new_lease = session.connection(), now() + LEASE_DURATION
            connection.execute(_EXTEND_LEASE, [{"answer": job.answer_id, "new_lease": new_lease} for job, _ in saved])
            connection.execute(
                _SAVE_CONTENT, [{"message": job.message_id, "new_content": content} for job, content in saved]
            )
        return continuing

    return write(change)


def finish_job(
    job: Job,
    *,
    state: str,
    content: str,
    problem: str | None = None,
    metadata: Metadata | None = None,
    files: Sequence[AttachedFile] = (),
) -> None:
    """Store the final state, content, metadata and files of an answer.

    Do nothing if the answer is over or was deleted.
    """

    def change(transaction: Transaction) -> None:
        _end(
            transaction,
            job.conversation.id,
            job.answer_id,
            state=state,
            content=content,
            problem=problem,
            metadata=metadata,
            files=files,
        )

    write(change, locks=[job.conversation.id])


def _select_open() -> Select[Answer]:
    return select(Answer).where(Answer.ended_at.is_(None)).order_by(Answer.id)


def _claim(session: Session, answer: Answer) -> Job | None:
    """Lease an answer. Return None if another process has claimed it meanwhile."""
    is_free = (Answer.id == answer.id, Answer.ended_at.is_(None), Answer.leased_until.is_(None))
    lease = update(Answer).where(*is_free).values(leased_until=now() + LEASE_DURATION).returning(Answer.id)
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
        conversation=ConversationRef.of(conversation),
        is_private=kind_of(conversation).is_personal,
        seq=message.seq,
        reply_to=message.reply_to or message.seq,
        assistant=answer.assistant,
        asker=Person.of(asker),
    )


def _interrupt(transaction: Transaction, answer: Answer) -> None:
    _end(transaction, answer.conversation_id, answer.id, state="interrupted", problem=INTERRUPTED_PROBLEM)


def _end(
    transaction: Transaction,
    conversation_id: int,
    answer_id: int,
    *,
    state: str,
    content: str | None = None,
    problem: str | None = None,
    metadata: Metadata | None = None,
    files: Sequence[AttachedFile] = (),
) -> None:
    """End an open answer; keep its saved content if `content` is None. The files belong to no user."""
    session = transaction.session
    # Every transaction locks the conversation before its answers.
    if lock_conversation(session, conversation_id) is None:
        return
    answer = session.scalars(
        select(Answer)
        .where(Answer.id == answer_id, Answer.ended_at.is_(None))
        .execution_options(populate_existing=True)
    ).one_or_none()
    if answer is None:
        return
    answer.ended_at = now()
    message = session.get_one(Message, answer.message_id, populate_existing=True)
    if message.deleted_at is None:
        store_files(session, [(conversation_id, message.id, None, files)])
        update_answer(
            transaction,
            message,
            state=state,
            content=message.content if content is None else content,
            problem=problem and problem[:MAX_PROBLEM_CHARS],
            metadata=metadata,
        )
