"""Pages of the messages of a period. Order comes from their times here, and from `seq` among equal times."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, select, tuple_
from sqlalchemy.orm import Session

from chatapp.models import Conversation, Message


class Position(NamedTuple):
    """The place of a message in the order of a period, which is that of an index."""

    created_at: datetime
    seq: int


@dataclass(frozen=True, slots=True)
class Range:
    """The positions from `start` (inclusive) to `end` (exclusive)."""

    start: Position
    end: Position

    @classmethod
    def of(cls, since: datetime | None, until: datetime | None) -> "Range":
        """Return the positions of a period: from `since`, or the first message, until before `until`."""
        return cls(
            Position(since or datetime.min.replace(tzinfo=UTC), 0),
            Position(until or datetime.max.replace(tzinfo=UTC), 0),
        )

    def condition(self) -> ColumnElement[bool]:
        """Return the SQL condition that selects the messages of the range. The index scan has these bounds."""
        position = tuple_(Message.created_at, Message.seq)
        return and_(position >= tuple_(*self.start), position < tuple_(*self.end))


def find_position_after(session: Session, conversation: Conversation, seq: int) -> Position | None:
    """Return the position after the message with this `seq`, or the last one below it. None if there is none."""
    found = _find(session, conversation, Message.seq <= seq, Message.seq.desc())
    return None if found is None else Position(found.created_at, found.seq + 1)


def find_position_of(session: Session, conversation: Conversation, seq: int) -> Position | None:
    """Return the position of the message with this `seq`, or of the first one above it. None if there is none."""
    return _find(session, conversation, Message.seq >= seq, Message.seq.asc())


def _find(
    session: Session, conversation: Conversation, condition: ColumnElement[bool], order: ColumnElement[int]
) -> Position | None:
    query = select(Message.created_at, Message.seq).where(Message.conversation_id == conversation.id, condition)
    row = session.execute(query.order_by(order).limit(1)).one_or_none()
    return None if row is None else Position(*row)
