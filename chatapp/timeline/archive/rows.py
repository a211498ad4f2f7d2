"""A message with the rows that belong to it, as one line of JSON.

The columns and the tables are those of the models: new ones are archived and restored without a change here.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self, cast

import orjson
from sqlalchemy import Column, Table, delete, func, insert, select, tuple_
from sqlalchemy.orm import Session

from chatapp.models import Base, Conversation, Message, RetiredKey, User
from chatapp.models.base import UtcDateTime
from chatapp.models.messages import RUNNING_STATES
from chatapp.search.index import index_rows

MESSAGES = cast(Table, Message.__table__)

TRANSIENT = frozenset({"answers", "deletions", "webhook_deliveries"})
"""Tables with work that ends when its message is removed, and with what deletions have removed. It is not archived."""

RELATED = {
    str(table.name): table
    for table in Base.metadata.sorted_tables
    if table.name not in TRANSIENT and any(key.column is MESSAGES.c.id for key in table.foreign_keys)
}
"""The tables of what belongs to a message, such as its reactions, by name."""


@dataclass(frozen=True, slots=True)
class ArchivedMessage:
    """A message outside the database: its columns, and those of the related rows by table."""

    columns: Mapping[str, Any]
    related: Mapping[str, Sequence[Mapping[str, Any]]]
    sender: str | None
    """The username of its sender, for people who read the archive."""

    @property
    def seq(self) -> int:
        """The `seq` of the message, which identifies it in its conversation."""
        seq: int = self.columns["seq"]
        return seq

    @property
    def version(self) -> int:
        """Of two copies of a message, the one with the higher version is the newer."""
        version: int = self.columns["version"]
        return version

    def to_line(self) -> bytes:
        """Return the message as a line of JSON."""
        record = {"message": self.columns, "related": self.related, "sender": self.sender}
        return orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)

    @classmethod
    def from_line(cls, line: bytes) -> Self:
        """Parse a line. Columns and tables that the models no longer have are ignored. Raises `ValueError`."""
        record = orjson.loads(line)
        try:
            related = {
                name: [_decode(RELATED[name], row) for row in rows]
                for name, rows in record["related"].items()
                if name in RELATED
            }
            return cls(_decode(MESSAGES, record["message"]), related, record["sender"])
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not an archived message: {error!r}") from error


def read_messages(
    session: Session, conversation_id: int, *, after: int, before: int, limit: int
) -> list[ArchivedMessage]:
    """Return the first messages of a conversation with a `seq` above `after` and below `before`."""
    rows = session.execute(
        select(MESSAGES)
        .where(MESSAGES.c.conversation_id == conversation_id, MESSAGES.c.seq > after, MESSAGES.c.seq < before)
        .order_by(MESSAGES.c.seq)
        .limit(limit)
    ).all()
    columns = [_columns(MESSAGES, row) for row in rows]
    ids = [each["id"] for each in columns]
    related: dict[int, dict[str, list[Mapping[str, Any]]]] = defaultdict(dict)
    for name, table in RELATED.items():
        key = _message_key(table)
        for row in session.execute(select(table).where(key.in_(ids)).order_by(*table.primary_key)):
            related[row._mapping[key]].setdefault(name, []).append(_columns(table, row))  # noqa: SLF001 - public
    senders = {each["sender_id"] for each in columns}
    names = {
        row.id: row.username for row in session.execute(select(User.id, User.username).where(User.id.in_(senders)))
    }
    return [ArchivedMessage(each, related[each["id"]], names.get(each["sender_id"])) for each in columns]


def insert_messages(
    session: Session, conversation: Conversation, messages: Sequence[tuple[ArchivedMessage, int]]
) -> None:
    """Insert archived messages, each with its new version, into a locked conversation that lacks them.

    They get their ids again, which order what searches and lists find; new ones only where the database is not the one
    that they were archived from, or an older copy of it. Their keys are no longer retired. References to users who no
    longer exist become NULL, or the row is left out where they must not.
    """
    users = _find_users(session, [message for message, _ in messages])
    rows = [_row(MESSAGES, message.columns, users) | {"version": version} for message, version in messages]
    for row in rows:
        # Its work was removed with the message.
        if row["state"] in RUNNING_STATES:
            row["state"] = "interrupted"
    free = _find_free_ids(session, [message for message, _ in messages])
    with_id = [row | {"id": free[row["seq"]]} for row in rows if row["seq"] in free]
    without_id = [row for row in rows if row["seq"] not in free]
    for part in filter(None, (with_id, without_id)):
        session.execute(insert(MESSAGES), part)
    seqs = [row["seq"] for row in rows]
    of_conversation = MESSAGES.c.conversation_id == conversation.id
    ids = {
        row.seq: row.id
        for row in session.execute(
            select(MESSAGES.c.id, MESSAGES.c.seq).where(of_conversation, MESSAGES.c.seq.in_(seqs))
        )
    }
    for name, table in RELATED.items():
        related = [
            _row(table, row, users) | {_message_key(table).key: ids[message.seq]}
            for message, _ in messages
            for row in message.related.get(name, ())
            if _has_required_users(table, row, users)
        ]
        if related:
            session.execute(insert(table), related)
    # After their files, by the names of which they are found.
    index_rows(session, session.scalars(select(Message).where(Message.id.in_(ids.values())).order_by(Message.id)))
    session.execute(delete(RetiredKey).where(RetiredKey.conversation_id == conversation.id, RetiredKey.seq.in_(seqs)))


def _find_free_ids(session: Session, messages: Iterable[ArchivedMessage]) -> dict[int, int]:
    """Return the former ids of messages that no other message has, by their `seq`."""
    # PostgreSQL gives ids above the highest one to new messages.
    last = session.scalars(select(func.max(MESSAGES.c.id))).one() or 0
    former = {id_: message.seq for message in messages if isinstance(id_ := message.columns.get("id"), int)}
    taken = set(session.scalars(select(MESSAGES.c.id).where(MESSAGES.c.id.in_(former))))
    return {seq: id_ for id_, seq in former.items() if 0 < id_ < last and id_ not in taken}


def find_stored(session: Session, conversation_id: int, messages: Collection[ArchivedMessage]) -> set[int]:
    """Return the `seq` of those messages that the database has, under this `seq` or under their key."""
    seqs = [message.seq for message in messages]
    stored = set(
        session.scalars(select(Message.seq).where(Message.conversation_id == conversation_id, Message.seq.in_(seqs)))
    )
    keys = {
        (message.columns["client_id"], message.columns["sender_id"]): message.seq
        for message in messages
        if message.columns["client_id"] and message.columns["sender_id"]
    }
    if not keys:
        return stored
    key = tuple_(Message.client_id, Message.sender_id)
    used = session.execute(select(Message.client_id, Message.sender_id).where(key.in_(list(keys)))).all()
    return stored | {keys[row.client_id, row.sender_id] for row in used}


def _columns(table: Table, row: Any) -> dict[str, Any]:
    # Names are of a subclass of `str`, which orjson does not accept as a key.
    return {str(column.name): row._mapping[column] for column in table.columns}  # noqa: SLF001 - public


def _decode(table: Table, columns: Mapping[str, Any]) -> dict[str, Any]:
    return {
        column.name: _decode_value(column, columns[column.name]) for column in table.columns if column.name in columns
    }


def _decode_value(column: Column[Any], value: Any) -> Any:
    is_time = value is not None and isinstance(column.type, UtcDateTime)
    return datetime.fromisoformat(value) if is_time else value


def _message_key(table: Table) -> Column[Any]:
    """Return the column that refers to the message."""
    return next(key.parent for key in table.foreign_keys if key.column is MESSAGES.c.id)


def _user_keys(table: Table) -> list[Column[Any]]:
    return [key.parent for key in table.foreign_keys if key.column.table.name == User.__tablename__]


def _find_users(session: Session, messages: Iterable[ArchivedMessage]) -> set[int]:
    """Return the ids of the users that the messages refer to, and that exist."""
    tables = [(MESSAGES, [message.columns]) for message in messages]
    tables += [(RELATED[name], list(rows)) for message in messages for name, rows in message.related.items()]
    referred = {row.get(key.name) for table, rows in tables for row in rows for key in _user_keys(table)}
    return set(session.scalars(select(User.id).where(User.id.in_(referred - {None}))))


def _has_required_users(table: Table, row: Mapping[str, Any], users: set[int]) -> bool:
    return all(key.nullable or row.get(key.name) in users for key in _user_keys(table))


def _row(table: Table, columns: Mapping[str, Any], users: set[int]) -> dict[str, Any]:
    """Return the row to insert. The database gives it a new id."""
    row = {
        column.key: columns[column.name]
        for column in table.columns
        if column.name in columns and column is not table.autoincrement_column
    }
    for key in _user_keys(table):
        if row.get(key.key) not in users:
            row[key.key] = None
    return row
