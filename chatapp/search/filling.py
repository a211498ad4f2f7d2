"""Indexing the messages that the index lacks.

These are the messages that are older than the index: after an upgrade, a copy of the database, or a rebuild. And those
of events that other processes have written, of a version without the index or with another tokenizer, during a rolling
upgrade or after a rollback.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from operator import attrgetter
from typing import Any

import structlog
from sqlalchemy import Row, or_, select
from sqlalchemy.orm import Session

from chatapp.concurrency.cooperation import checkpoint, in_slices
from chatapp.models import Conversation, Message
from chatapp.search.index import (
    IndexedMessage,
    get_position,
    get_tokenizer,
    index_messages,
    index_rows,
    make_indexed,
    remove_surplus,
    reset,
    restart_filling,
    set_position,
)
from chatapp.search.tokens import TOKENIZER_VERSION
from chatapp.storage import Transaction, read_natively, write

log = structlog.get_logger(__name__)

BATCH_MESSAGES = 200

BATCH_CHARS = 50_000
"""Messages and characters that are indexed in one transaction, some 10 milliseconds. Others can post between two."""

BATCH_CHANGED = 20

BATCH_CHANGED_CHARS = 20_000
"""Messages and characters of which another process has written events that are indexed in one transaction. They are few
because their tokens are computed in it."""

PAUSE_SECONDS = 0.02

CATCH_UP_SECONDS = 5.0
"""Interval at which a server looks for messages that other processes have changed, also while it fills the index."""

_SELECT = select(
    Message.id,
    Message.conversation_id,
    Message.version,
    Message.sender_id,
    Message.created_at,
    Message.content,
    Message.sender_name,
    Message.thread_root,
    Message.deleted_at,
    Message.state,
)


def fill(session: Session) -> Iterator[int]:
    """Index the messages that are not indexed, the newest first, in batches, and yield the number of ids left.

    Meanwhile it catches up with other processes. It ends early if the index gets another tokenizer. Raises
    `Unavailable`.
    """
    batch: Batch | None = None
    caught_up_at = time.monotonic()
    while (batch := read_batch(session, batch)) and (position := write(partial(index_batch, batch))):
        yield position
        if time.monotonic() >= caught_up_at + CATCH_UP_SECONDS:
            catch_up(session)
            caught_up_at = time.monotonic()
        time.sleep(PAUSE_SECONDS)


def is_filled(session: Session) -> bool:
    """Return whether `fill` has nothing left to do."""
    position = get_position(session.connection())
    session.rollback()
    return not position


def complete_index(session: Session) -> None:
    """Index all messages that the index lacks. Raises `Unavailable`."""
    if not adopt_tokenizer(session):
        return
    catch_up(session)
    if is_filled(session):
        return
    started_at = time.monotonic()
    for _ in fill(session):
        pass
    if is_filled(session):
        log.info("search index filled", seconds=round(time.monotonic() - started_at))


def adopt_tokenizer(session: Session) -> bool:
    """Index all messages again if this process has a newer tokenizer than the index, or is the first one.

    Return whether it has the tokenizer of the index: otherwise processes of a newer version do the work.
    """
    stored = get_tokenizer(session.connection())
    session.rollback()
    if stored < TOKENIZER_VERSION:
        write(_adopt_tokenizer)
    return stored <= TOKENIZER_VERSION


def _adopt_tokenizer(transaction: Transaction) -> None:
    connection = transaction.session.connection()
    if get_tokenizer(connection) < TOKENIZER_VERSION:
        restart_filling(connection)


def catch_up(session: Session) -> int:
    """Index what processes have changed that have no index or another tokenizer. Return the number of messages.

    Raises `Unavailable`.
    """
    behind = read_natively(session, _list_behind)
    session.rollback()
    total = 0
    for conversation_id in behind:
        while indexed := write(partial(index_changed, conversation_id)):
            total += indexed
            time.sleep(PAUSE_SECONDS)
    if total:
        log.info("messages of other versions indexed for the search", messages=total)
    return total


def _list_behind(session: Session) -> Sequence[int]:
    if get_tokenizer(session.connection()) != TOKENIZER_VERSION:
        return []
    is_behind = or_(
        Conversation.indexed_event != Conversation.last_event, Conversation.indexed_tokenizer != TOKENIZER_VERSION
    )
    return session.scalars(select(Conversation.id).where(Conversation.last_event > 0, is_behind)).all()


def index_changed(conversation_id: int, transaction: Transaction) -> int:
    """Index the next messages that were changed after the last event that is indexed, and return their number.

    It is 0 if the index has another tokenizer by now. The conversation is locked, as it is by each event.
    """
    session = transaction.session
    locked = select(Conversation).where(Conversation.id == conversation_id).with_for_update(key_share=True)
    conversation = session.scalars(locked.execution_options(populate_existing=True)).one_or_none()
    # After the lock: a process locks all conversations before it changes the tokenizer of the index.
    if conversation is None or get_tokenizer(session.connection()) != TOKENIZER_VERSION:
        return 0
    first = conversation.indexed_event if conversation.indexed_tokenizer == TOKENIZER_VERSION else 0
    changed = select(Message).where(Message.conversation_id == conversation_id, Message.version > first)
    found = session.scalars(changed.order_by(Message.version).limit(BATCH_CHANGED)).all()
    messages = found[: _count_until(found, BATCH_CHANGED_CHARS)]
    index_rows(session, sorted(messages, key=attrgetter("id")))
    is_last = len(messages) == len(found) < BATCH_CHANGED
    conversation.indexed_event = conversation.last_event if is_last else messages[-1].version
    conversation.indexed_tokenizer = TOKENIZER_VERSION
    return len(messages)


def _count_until(messages: Iterable[Message | Row[*tuple[Any, ...]]], max_chars: int) -> int:
    """Return how many of the messages, from the first one on, are needed to reach a number of characters."""
    count = chars = 0
    for message in messages:
        if chars >= max_chars:
            break
        chars += len(message.content)
        count += 1
    return count


def restart(*, is_emptied: bool = False) -> int:
    """Let `fill` index all messages again, and return the position that it begins at.

    Until then they are found by their former tokens. `is_emptied` is for an index that cannot be read any more.
    """

    def change(transaction: Transaction) -> int:
        connection = transaction.session.connection()
        if is_emptied:
            reset(connection)
        restart_filling(connection)
        return get_position(connection)

    return write(change)


def read_indexed(session: Session, position: int, end: int, batch: int) -> Iterator[list[IndexedMessage]]:
    """Yield the messages with ids in a range as they are indexed, in the order of their ids."""
    query = _SELECT.where(Message.id < end).order_by(Message.id).limit(batch)
    while rows := session.execute(query.where(Message.id >= position)).all():
        yield [message for message in make_indexed(session, rows) if not message.is_empty]
        position = rows[-1].id + 1


@dataclass(frozen=True, slots=True)
class Batch:
    """Messages that were read, with their tokens, and that are not indexed yet."""

    position: int
    """The id that those of the messages are below."""
    next_position: int
    messages: Sequence[IndexedMessage]
    """In the order of their ids."""
    versions: Mapping[int, int]
    """The event of the last change of each message, by id."""
    remaining: Sequence[Row[*tuple[Any, ...]]]
    """The next rows that were read, for which the batch has no room."""
    is_end: bool
    """Whether there are no messages after those."""


def read_batch(session: Session, previous: Batch | None = None) -> Batch | None:
    """Return the next messages to be indexed; None if there are none. Their tokens are computed in slices.

    The rows that remain of the previous batch are not read again: a batch has room for few long messages.
    """
    position = get_position(session.connection())
    if not position:
        session.rollback()
        return None
    if previous is not None and previous.remaining and previous.next_position == position:
        rows, is_end = previous.remaining, previous.is_end
    else:
        query = _SELECT.where(Message.id < position).order_by(Message.id.desc()).limit(BATCH_MESSAGES)
        rows = read_natively(session, lambda reading: reading.execute(query).all(), is_limited=False)
        is_end = len(rows) < BATCH_MESSAGES
    session.rollback()
    count = _count_until(rows, BATCH_CHARS)
    rows, remaining = rows[:count], rows[count:]
    indexed = make_indexed(session, rows)
    session.rollback()
    messages: list[IndexedMessage] = []
    with in_slices():
        for message in indexed:
            messages.append(replace(message, tokens=message.tokenize()))
            checkpoint()
    next_position = 0 if is_end and not remaining else rows[-1].id
    versions = {row.id: row.version for row in rows}
    return Batch(position, next_position, messages[::-1], versions, remaining, is_end)


def index_batch(batch: Batch, transaction: Transaction) -> int:
    """Index messages that were read, and return the next position; 0 if the index has another tokenizer by now."""
    session = transaction.session
    connection = session.connection()
    position = get_position(connection, for_update=True)
    if get_tokenizer(connection) != TOKENIZER_VERSION:
        return 0
    if position != batch.position:
        # Another process has indexed them, or has begun anew.
        return position
    # Locked, so that nobody changes them before they are indexed.
    current = select(Message.id, Message.version).where(Message.id.in_(batch.versions)).order_by(Message.id)
    versions = {row.id: row.version for row in session.execute(current.with_for_update(read=True))}
    # Messages that were changed meanwhile are read again. A reaction changes the version, but indexes nothing.
    changed = [each for each, version in versions.items() if version != batch.versions[each]]
    rows = session.execute(_SELECT.where(Message.id.in_(changed))).all()
    current_messages = {message.id: message for message in make_indexed(session, rows)}
    index_messages(connection, [current_messages.get(each.id, each) for each in batch.messages if each.id in versions])
    remove_surplus(connection, batch.next_position, position)
    set_position(connection, batch.next_position)
    return batch.next_position
