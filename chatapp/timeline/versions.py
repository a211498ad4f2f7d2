"""Earlier versions of messages: the texts that edits have replaced. Deleting a message deletes them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from sqlalchemy import bindparam, delete, func, select
from sqlalchemy.orm import Session

from chatapp.errors import NotFound
from chatapp.models import Conversation, Message, MessageVersion
from chatapp.storage import read_from_replica

_DELETE = delete(MessageVersion).where(MessageVersion.message_id == bindparam("message_id"))


@dataclass(frozen=True, slots=True)
class EarlierVersion:
    """A text that an edit has replaced."""

    version: int
    """The last version of the message with this text."""
    content: str
    written_at: datetime

    @property
    def chars(self) -> int:
        """Return its size in characters."""
        return len(self.content)

    @classmethod
    def of(cls, row: MessageVersion) -> Self:
        """Create the value from a row."""
        return cls(row.version, row.content, row.written_at)


@dataclass(frozen=True, slots=True)
class VersionPage:
    """Consecutive earlier versions of a message, oldest first, and the number of all."""

    versions: Sequence[EarlierVersion]
    total: int
    has_older: bool
    has_newer: bool


def keep_version(session: Session, message: Message) -> None:
    """Store the text that a message has, before an edit replaces it."""
    written_at = message.edited_at or message.created_at
    session.add(
        MessageVersion(message_id=message.id, version=message.version, content=message.content, written_at=written_at)
    )


def delete_versions(session: Session, message_id: int) -> None:
    """Delete the earlier versions of a message."""
    session.connection().execute(_DELETE, {"message_id": message_id})


def read_versions(
    session: Session,
    conversation: Conversation,
    seq: int,
    *,
    before: int | None = None,
    after: int | None = None,
    limit: int,
) -> VersionPage:
    """Return the last `limit` earlier versions of a message with a number below `before`.

    With `after`, return the first ones with a number above it and below `before` instead. The caller has authorized
    reading the conversation. Raises `NotFound` also for a deleted message. They may come from the replica.
    """

    def read(session: Session) -> VersionPage:
        message_id = session.scalars(
            select(Message.id).where(
                Message.conversation_id == conversation.id, Message.seq == seq, Message.deleted_at.is_(None)
            )
        ).one_or_none()
        if message_id is None:
            raise NotFound("There is no such message, or it was deleted.")
        return _read_page(session, message_id, before=before, after=after, limit=limit)

    return read_from_replica(session, read)


def _read_page(session: Session, message_id: int, *, before: int | None, after: int | None, limit: int) -> VersionPage:
    is_of_message = MessageVersion.message_id == message_id
    total, first, last = session.execute(
        select(func.count(), func.min(MessageVersion.version), func.max(MessageVersion.version)).where(is_of_message)
    ).one()
    query = select(MessageVersion).where(is_of_message).limit(limit)
    if before is not None:
        query = query.where(MessageVersion.version < before)
    if after is None:
        rows = session.scalars(query.order_by(MessageVersion.version.desc())).all()[::-1]
    else:
        rows = session.scalars(query.where(MessageVersion.version > after).order_by(MessageVersion.version)).all()
    versions = [EarlierVersion.of(row) for row in rows]
    if versions:
        return VersionPage(versions, total, versions[0].version > first, versions[-1].version < last)
    has_any = bool(total)
    return VersionPage(
        [],
        total,
        has_older=has_any and after is not None and first <= after,
        has_newer=has_any and before is not None and last >= before,
    )
