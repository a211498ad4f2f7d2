"""Indexing the messages that are older than the index: after an upgrade, a copy of the database, or a rebuild."""

import time
from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from chatapp.models import Message
from chatapp.models.messages import RUNNING_STATES
from chatapp.search.index import IndexedMessage, get_position, index_messages, reset, set_position
from chatapp.storage import Transaction, write

BATCH_MESSAGES = 200
"""Messages that are indexed in one transaction, some 20 milliseconds. Others can post between two."""

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


def restart() -> int:
    """Empty the index, so that `fill` creates it again, and return the position that it begins at."""

    def change(transaction: Transaction) -> int:
        connection = transaction.session.connection()
        reset(connection)
        return get_position(connection)

    return write(change)


def read_indexed(session: Session, position: int, batch: int) -> Iterator[list[IndexedMessage]]:
    """Yield the messages from an id on as they are indexed, in the order of their ids."""
    while rows := session.execute(_SELECT.where(Message.id >= position).order_by(Message.id).limit(batch)).all():
        yield _list_indexed(rows)
        position = rows[-1].id + 1


def _list_indexed(rows: Iterable[Row[*tuple[Any, ...]]]) -> list[IndexedMessage]:
    return [
        IndexedMessage(
            row.id,
            row.conversation_id,
            row.sender_id,
            row.created_at,
            row.content,
            row.sender_name,
            row.thread_root is not None,
        )
        for row in rows
        if row.content and row.deleted_at is None and row.state not in RUNNING_STATES
    ]


def _index_batch(transaction: Transaction) -> int:
    session = transaction.session
    connection = session.connection()
    position = get_position(connection)
    if not position:
        return 0
    # Locked, so that nobody changes them before they are indexed.
    older = _SELECT.where(Message.id < position).order_by(Message.id.desc()).limit(BATCH_MESSAGES)
    rows = session.execute(older.with_for_update(read=True)).all()
    index_messages(connection, _list_indexed(reversed(rows)))
    position = rows[-1].id if len(rows) == BATCH_MESSAGES else 0
    set_position(connection, position)
    return position
