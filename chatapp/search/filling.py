"""Indexing the messages that the index lacks.

These are the messages that are older than the index: after an upgrade, a copy of the database, or a rebuild. And those
of events that other processes have written, of a version without the index or with another tokenizer, during a rolling
upgrade or after a rollback.
"""

import time
from collections.abc import Iterator, Sequence
from functools import partial
from operator import attrgetter
from typing import Any

import structlog
from sqlalchemy import Row, or_, select
from sqlalchemy.orm import Session

from chatapp.models import Conversation, Message
from chatapp.models.messages import RUNNING_STATES
from chatapp.search.index import (
    IndexedMessage,
    get_position,
    get_tokenizer,
    index_messages,
    index_rows,
    reset,
    restart_filling,
    set_position,
)
from chatapp.search.tokens import TOKENIZER
from chatapp.storage import Transaction, read_natively, write

log = structlog.get_logger(__name__)

BATCH_MESSAGES = 200
"""Messages that are indexed in one transaction, some 20 milliseconds. Others can post between two."""

BATCH_CHANGED = 20
"""Messages of which another process has written an event that are indexed in one transaction."""

PAUSE_SECONDS = 0.02

_SELECT = select(
    Message.id,
    Message.conversation_id,
    Message.sender_id,
    Message.created_at,
    Message.content,
    Message.sender_name,
    Message.thread_root,
    Message.deleted_at,
    Message.state,
)


def fill() -> Iterator[int]:
    """Index the messages that are not indexed, the newest first, in batches, and yield the number of ids left.

    Raises `Unavailable`.
    """
    while position := write(_index_batch):
        yield position
        time.sleep(PAUSE_SECONDS)


def complete_index(session: Session) -> None:
    """Index all messages that the index lacks. Raises `Unavailable`."""
    if not adopt_tokenizer(session):
        return
    if count := catch_up(session):
        log.info("messages of other versions indexed for the search", messages=count)
    if get_position(session.connection()):
        session.rollback()
        started_at = time.monotonic()
        for _ in fill():
            pass
        log.info("search index filled", seconds=round(time.monotonic() - started_at))


def adopt_tokenizer(session: Session) -> bool:
    """Index all messages again if this process has a newer tokenizer than the index, or is the first one.

    Return whether it has the tokenizer of the index: otherwise processes of a newer version do the work.
    """
    stored = get_tokenizer(session.connection())
    session.rollback()
    if stored < TOKENIZER:
        write(_adopt_tokenizer)
    return stored <= TOKENIZER


def _adopt_tokenizer(transaction: Transaction) -> None:
    connection = transaction.session.connection()
    if get_tokenizer(connection) < TOKENIZER:
        restart_filling(connection)


def catch_up(session: Session) -> int:
    """Index what processes have changed that have no index or another tokenizer. Return the number of messages.

    Raises `Unavailable`.
    """
    behind = read_natively(session, _list_behind)
    session.rollback()
    total = 0
    for conversation_id in behind:
        while indexed := write(partial(_index_changed, conversation_id)):
            total += indexed
            time.sleep(PAUSE_SECONDS)
    return total


def _list_behind(session: Session) -> Sequence[int]:
    is_behind = or_(Conversation.indexed_event != Conversation.last_event, Conversation.indexed_by != TOKENIZER)
    return session.scalars(select(Conversation.id).where(Conversation.last_event > 0, is_behind)).all()


def _index_changed(conversation_id: int, transaction: Transaction) -> int:
    """Index the next messages that were changed after the last event that is indexed, and return their number.

    The conversation is locked, as it is by each event.
    """
    session = transaction.session
    locked = select(Conversation).where(Conversation.id == conversation_id).with_for_update(key_share=True)
    conversation = session.scalars(locked.execution_options(populate_existing=True)).one_or_none()
    if conversation is None:
        return 0
    first = conversation.indexed_event if conversation.indexed_by == TOKENIZER else 0
    changed = select(Message).where(Message.conversation_id == conversation_id, Message.version > first)
    messages = session.scalars(changed.order_by(Message.version).limit(BATCH_CHANGED)).all()
    index_rows(session, sorted(messages, key=attrgetter("id")))
    is_last = len(messages) < BATCH_CHANGED
    conversation.indexed_event = conversation.last_event if is_last else messages[-1].version
    conversation.indexed_by = TOKENIZER
    return len(messages)


def restart() -> int:
    """Empty the index, so that `fill` creates it again, and return the position that it begins at."""

    def change(transaction: Transaction) -> int:
        connection = transaction.session.connection()
        reset(connection)
        restart_filling(connection)
        return get_position(connection)

    return write(change)


def read_indexed(session: Session, position: int, batch: int) -> Iterator[list[IndexedMessage]]:
    """Yield the messages from an id on as they are indexed, in the order of their ids."""
    while rows := session.execute(_SELECT.where(Message.id >= position).order_by(Message.id).limit(batch)).all():
        yield [message for message in map(_make_indexed, rows) if message.content]
        position = rows[-1].id + 1


def _make_indexed(row: Row[*tuple[Any, ...]]) -> IndexedMessage:
    is_found = row.deleted_at is None and row.state not in RUNNING_STATES
    return IndexedMessage(
        row.id,
        row.conversation_id,
        row.sender_id,
        row.created_at,
        row.content if is_found else "",
        row.sender_name,
        row.thread_root is not None,
    )


def _index_batch(transaction: Transaction) -> int:
    session = transaction.session
    connection = session.connection()
    position = get_position(connection)
    if not position:
        return 0
    # Locked, so that nobody changes them before they are indexed.
    older = _SELECT.where(Message.id < position).order_by(Message.id.desc()).limit(BATCH_MESSAGES)
    rows = session.execute(older.with_for_update(read=True)).all()
    index_messages(connection, map(_make_indexed, reversed(rows)))
    position = rows[-1].id if len(rows) == BATCH_MESSAGES else 0
    set_position(connection, position)
    return position
