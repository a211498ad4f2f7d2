"""Scheduled messages as values and rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from sqlalchemy import Row
from sqlalchemy.orm import Session

from chatapp.conversations.refs import ConversationRef
from chatapp.errors import NotFound
from chatapp.files.attached import AttachedFile
from chatapp.models import ScheduledMessage
from chatapp.schedule.entries import Entries, ref_of
from chatapp.schedule.files import fetch_scheduled_files


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
    files: tuple[AttachedFile, ...] = ()

    def get_file(self, digest: str, name: str) -> AttachedFile:
        """Return the file with a digest, if possible the one with this name, too. Raises `NotFound`."""
        files = [file for file in self.files if file.digest == digest]
        if not files:
            raise NotFound("This scheduled message has no such file.")
        return next((file for file in files if file.name == name), files[0])

    @classmethod
    def of(cls, row: Row[Any], files: tuple[AttachedFile, ...]) -> Self:
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
            files=files,
        )


def _load(session: Session, rows: Sequence[Row[Any]]) -> list[Scheduled]:
    files = fetch_scheduled_files(session, [row.id for row in rows])
    return [Scheduled.of(row, files.get(row.id, ())) for row in rows]


SCHEDULED = Entries(
    ScheduledMessage,
    _load,
    waits=ScheduledMessage.problem.is_(None),
    missing="There is no such scheduled message. Perhaps it was sent.",
)
