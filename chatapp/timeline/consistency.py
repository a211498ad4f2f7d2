"""Consistency of the database after another program has edited it: finds problems, and repairs those that are safe.

An example is `DELETE FROM messages` with `sqlite3`: it leaves the reactions to these messages, and the conversation's
number of messages. Messages are never deleted here.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from chatapp.models import Conversation, Message
from chatapp.search.checking import find_differences, repair_index
from chatapp.storage import Transaction, write
from chatapp.storage.foreign_keys import Orphans, find_orphans
from chatapp.timeline.epoch import renew_epoch
from chatapp.timeline.event_numbers import lock_conversation

MAX_PASSES = 10
"""Maximum number of repeated checks in one repair: deleting an orphan can create others."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong in the database."""

    description: str
    fix: Callable[[Transaction], None] | None = None
    """Repairs it; None if that would delete messages."""
    has_lost_messages: bool = False
    """Whether messages were deleted that open pages may still show."""


def find_problems(session: Session, *, with_index: bool = True) -> Sequence[Problem]:
    """Return the problems of the database. It reads keys of all messages: see `read_natively`.

    With the search index, it also reads the messages themselves. A start leaves that out.
    """
    problems = [*_find_orphans(session), *_find_wrong_numbers(session)]
    return [*problems, *_find_wrong_index(session)] if with_index else problems


def repair(*, with_index: bool = True) -> Sequence[Problem]:
    """Repair what can be repaired, and return what was.

    Open pages load their last page if messages were deleted. Raises `Unavailable`.
    """
    repaired = write(lambda transaction: _repair(transaction, with_index=with_index))
    if any(problem.has_lost_messages for problem in repaired):
        renew_epoch()
    return repaired


def _repair(transaction: Transaction, *, with_index: bool) -> Sequence[Problem]:
    repaired: list[Problem] = []
    for _ in range(MAX_PASSES):
        problems = find_problems(transaction.session, with_index=with_index)
        found = [problem for problem in problems if problem.fix is not None]
        if not found:
            break
        for problem in found:
            if problem.fix is not None:
                problem.fix(transaction)
        transaction.session.flush()
        repaired += found
    return repaired


def _find_orphans(session: Session) -> Iterator[Problem]:
    for orphans in find_orphans(session.connection()):
        description = f"rows of {orphans.table} that refer to missing {orphans.parent}: {len(orphans.row_ids):,}"
        is_kept = orphans.table == Message.__tablename__ and orphans.on_delete == "CASCADE"
        yield Problem(description, None if is_kept else partial(_repair_orphans, orphans))


def _repair_orphans(orphans: Orphans, transaction: Transaction) -> None:
    orphans.repair(transaction.session.connection())


def _find_wrong_numbers(session: Session) -> Iterator[Problem]:
    count, last_version = func.count(Message.id), func.coalesce(func.max(Message.version), 0)
    rows = session.execute(
        select(Conversation, count, last_version)
        .outerjoin(Message, Message.conversation_id == Conversation.id)
        .group_by(Conversation.id)
        .having(or_(Conversation.message_count != count, Conversation.last_event < last_version))
        .execution_options(populate_existing=True)
    )
    for conversation, counted, version in rows:
        wire_name, stored, last_event = conversation.wire_name, conversation.message_count, conversation.last_event
        fix = partial(_repair_numbers, conversation.id)
        if stored != counted:
            description = f"{wire_name} has {counted:,} messages, and the stored number is {stored:,}"
            yield Problem(description, fix, has_lost_messages=counted < stored)
        if last_event < version:
            yield Problem(f"{wire_name} has event {version:,}, and the stored last event is {last_event:,}", fix)


def _find_wrong_index(session: Session) -> Iterator[Problem]:
    differences = find_differences(session.connection())
    if differences:
        count = len(differences.missing) + len(differences.surplus)
        yield Problem(f"the search index differs from the messages: {count:,} messages", _repair_index)


def _repair_index(transaction: Transaction) -> None:
    connection = transaction.session.connection()
    repair_index(connection, find_differences(connection))


def _repair_numbers(conversation_id: int, transaction: Transaction) -> None:
    conversation = lock_conversation(transaction.session, conversation_id)
    if conversation is None:
        return
    counted, version = transaction.session.execute(
        select(func.count(), func.coalesce(func.max(Message.version), 0)).where(
            Message.conversation_id == conversation_id
        )
    ).one()
    conversation.message_count = counted
    conversation.last_event = max(conversation.last_event, version)
