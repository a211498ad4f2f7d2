"""Queries for scheduled messages. Nobody but the author of one can see it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, Self, cast

from sqlalchemy import ColumnElement, Row, Select, Table, and_, func, or_, select
from sqlalchemy.orm import Session

from chatapp.conversations.refs import ConversationRef, make_ref
from chatapp.errors import Invalid, NotFound
from chatapp.models import Conversation, ScheduledMessage
from chatapp.models.base import LAST_ID

SCHEDULED = cast(Table, ScheduledMessage.__table__)

SELECT: Select[Any] = select(*SCHEDULED.c, Conversation.kind).outerjoin_from(
    SCHEDULED, Conversation, Conversation.id == SCHEDULED.c.conversation_id
)
"""The columns that `Scheduled.of` needs."""

_ORDER = (SCHEDULED.c.due_at, SCHEDULED.c.id)

_WAITS = SCHEDULED.c.problem.is_(None)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MAX_MICROSECONDS = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A message that is to be sent at a time."""

    id: int
    user_id: int
    conversation: ConversationRef | None
    """None if it was deleted."""
    client_id: str
    content: str
    reply_to: int | None
    thread_root: int | None
    is_in_room: bool
    due_at: datetime
    problem: str | None
    """Why it was not sent when it was due."""
    created_at: datetime

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        """Create the value from a row."""
        return cls(
            id=row.id,
            user_id=row.user_id,
            conversation=None if row.kind is None else make_ref(row.kind, row.conversation_id),
            client_id=row.client_id,
            content=row.content,
            reply_to=row.reply_to,
            thread_root=row.thread_root,
            is_in_room=row.is_in_room,
            due_at=row.due_at,
            problem=row.problem,
            created_at=row.created_at,
        )

    @property
    def cursor(self) -> "Cursor":
        """Its place in the list."""
        return Cursor(self.due_at, self.id)


class Cursor(NamedTuple):
    """A place in the list of scheduled messages."""

    due_at: datetime
    id: int

    def __str__(self) -> str:
        return f"{(self.due_at - _EPOCH) // _MICROSECOND}-{self.id}"

    @classmethod
    def parse(cls, value: str | None) -> Self | None:
        """Return the cursor that was formatted as `value`, if there is one. Raises `Invalid`."""
        if value is None:
            return None
        microseconds, _, number = value.partition("-")
        for digits, limit in ((microseconds, _MAX_MICROSECONDS), (number, LAST_ID)):
            if not digits.isascii() or not digits.isdecimal() or len(digits) > len(str(limit)) or int(digits) > limit:
                raise Invalid("after must be a cursor from an earlier response.")
        return cls(_EPOCH + int(microseconds) * _MICROSECOND, int(number))


def is_after(order: tuple[ColumnElement[datetime], ColumnElement[int]], cursor: Cursor) -> ColumnElement[bool]:
    """Return the condition that a row comes after a cursor, in the order of these columns."""
    due_at, number = order
    return or_(due_at > cursor.due_at, and_(due_at == cursor.due_at, number > cursor.id))


class Due(NamedTuple):
    """The keys of a message that is due."""

    id: int
    conversation_id: int | None


def no_such_message() -> NotFound:
    """Return the error for a message that is not scheduled, or by somebody else."""
    return NotFound("There is no such scheduled message. Perhaps it was sent.")


def find_scheduled(session: Session, user_id: int, scheduled_id: int) -> Scheduled:
    """Find a scheduled message of a person. Raises `NotFound`."""
    row = session.execute(SELECT.where(SCHEDULED.c.id == scheduled_id, SCHEDULED.c.user_id == user_id)).one_or_none()
    if row is None:
        raise no_such_message()
    return Scheduled.of(row)


def list_scheduled(
    session: Session, user_id: int, *, limit: int, after: Cursor | None = None, ref: ConversationRef | None = None
) -> Sequence[Scheduled]:
    """List the scheduled messages of a person that come after a cursor, soonest first."""
    query = SELECT.where(SCHEDULED.c.user_id == user_id)
    if ref is not None:
        query = query.where(SCHEDULED.c.conversation_id == ref.id)
    if after is not None:
        query = query.where(is_after(_ORDER, after))
    return [Scheduled.of(row) for row in session.execute(query.order_by(*_ORDER).limit(limit))]


def count_scheduled(session: Session, user_id: int) -> int:
    """Count the scheduled messages of a person."""
    return session.execute(select(func.count()).where(SCHEDULED.c.user_id == user_id)).scalar_one()


def list_due(session: Session, moment: datetime, *, limit: int) -> Sequence[Due]:
    """List the messages that are due, in the order in which they are sent."""
    query = select(SCHEDULED.c.id, SCHEDULED.c.conversation_id).where(_WAITS, SCHEDULED.c.due_at <= moment)
    return [Due(*row) for row in session.execute(query.order_by(*_ORDER).limit(limit))]


def find_next_due_at(session: Session) -> datetime | None:
    """Return the time at which the next message is due."""
    return session.execute(select(SCHEDULED.c.due_at).where(_WAITS).order_by(*_ORDER).limit(1)).scalar_one_or_none()
