"""Scheduled messages as values and rows."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from sqlalchemy import Row

from chatapp.conversations.refs import ConversationRef
from chatapp.models import ScheduledMessage
from chatapp.schedule.entries import Entries, ref_of


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
            conversation=ref_of(row),
            client_id=row.client_id,
            content=row.content,
            reply_to=row.reply_to,
            thread_root=row.thread_root,
            is_in_room=row.is_in_room,
            due_at=row.due_at,
            problem=row.problem,
            created_at=row.created_at,
        )


SCHEDULED = Entries(
    ScheduledMessage,
    Scheduled.of,
    waits=ScheduledMessage.problem.is_(None),
    missing="There is no such scheduled message. Perhaps it was sent.",
)
