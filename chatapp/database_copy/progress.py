"""The progress of an unfinished copy, in a table of the target that exists until the copy is complete."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import Column, Connection, MetaData, Table, Text, func, insert, inspect, select, update

from chatapp.errors import Invalid
from chatapp.models import AuditEntry, Conversation, Installation, LoginSession, Message

unfinished_copy = Table("unfinished_copy", MetaData(), Column("progress", Text, nullable=False))
"""It has one row. chatapp does not start on a database that has this table."""


@dataclass(frozen=True, slots=True)
class SourceState:
    """What identifies the source, and differs after people have used it."""

    epoch: str
    numbers: list[int]
    """Numbers that rise: events, revocations, changes of names, ids."""

    @classmethod
    def read(cls, connection: Connection) -> "SourceState":
        """Read the state of a database. Raises `Invalid` if it is not one of chatapp."""
        row = connection.execute(
            select(
                Installation.epoch,
                Installation.revocations,
                Installation.people_version,
                select(func.coalesce(func.sum(Conversation.last_event), 0)).scalar_subquery(),
                *(
                    select(func.coalesce(func.max(model.id), 0)).scalar_subquery()
                    for model in (Conversation, Message, AuditEntry, LoginSession)
                ),
            )
        ).one_or_none()
        if row is None:
            raise Invalid("FROM is not a complete database of chatapp: its table “installation” is empty.")
        return cls(row[0], [int(number) for number in row[1:]])


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a copy is."""

    source: SourceState
    positions: dict[str, list[Any]] = field(default_factory=dict)
    """The primary key of the last row that was copied, by table. Rows are copied in the order of the key."""
    counts: dict[str, int] = field(default_factory=dict)
    """The number of rows that were copied, by table."""

    def advance(self, table: str, position: tuple[Any, ...], count: int) -> None:
        """Record that the rows of a table up to a position are copied."""
        self.positions[table] = list(position)
        self.counts[table] = self.counts.get(table, 0) + count

    def to_json(self) -> str:
        """Return the progress as text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Progress":
        """Return the progress that `to_json` has written."""
        fields = json.loads(text)
        return cls(SourceState(**fields["source"]), fields["positions"], fields["counts"])


def has_unfinished_copy(connection: Connection) -> bool:
    """Return whether a database is an unfinished copy."""
    return inspect(connection).has_table(unfinished_copy.name)


def begin(connection: Connection, progress: Progress) -> None:
    """Mark a database as an unfinished copy."""
    unfinished_copy.create(connection)
    connection.execute(insert(unfinished_copy).values(progress=progress.to_json()))


def save(connection: Connection, progress: Progress) -> None:
    """Store the progress, in the transaction that stores the rows."""
    connection.execute(update(unfinished_copy).values(progress=progress.to_json()))


def load(connection: Connection) -> Progress:
    """Return the progress of an unfinished copy."""
    return Progress.from_json(connection.execute(select(unfinished_copy.c.progress)).scalar_one())


def end(connection: Connection) -> None:
    """Mark a copy as complete."""
    unfinished_copy.drop(connection)
