"""The files of a conversation, newest first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, func, select
from sqlalchemy.orm import Session

from chatapp.conversations.people import Person, make_person
from chatapp.errors import Invalid
from chatapp.files.attached import KINDS, AttachedFile
from chatapp.files.rows import COLUMNS, make_file
from chatapp.models import Attachment, Conversation, Message, User
from chatapp.storage import Key, Keyset, ListPage, read_natively

_NEWEST_FIRST = Keyset(Key(Attachment.message_id, is_descending=True), Key(Attachment.position))


@dataclass(frozen=True, slots=True)
class ListedFile:
    """A file with its message."""

    file: AttachedFile
    seq: int
    """The number of the message."""
    sent_at: datetime
    sender: Person | None
    """The user who uploaded it; None if the account was deleted, or an assistant has made it."""
    bot_name: str | None
    """The name of the bot or the assistant that sent the message."""


def read_files(
    session: Session,
    conversation: Conversation,
    *,
    kind: str | None = None,
    before: str | None = None,
    after: str | None = None,
    limit: int,
) -> ListPage[ListedFile]:
    """Return a page of the files of a conversation, or of those of one kind. Raises `Invalid` for an unknown kind."""
    query = (
        _select(conversation, kind)
        .join(Message, Message.id == Attachment.message_id)
        .outerjoin(User, User.id == Attachment.user_id)
        .add_columns(
            Message.seq,
            Message.created_at,
            Message.sender_name.label("bot_name"),
            User.id.label("sender_id"),
            User.username,
            User.name.label("sender_name"),
            User.avatar_digest,
        )
    )

    def read(reading: Session) -> ListPage[ListedFile]:
        return _NEWEST_FIRST.read(reading, query, before=before, after=after, limit=limit).map(_build)

    return read_natively(session, read)


def count_files(session: Session, conversation: Conversation, *, kind: str | None = None) -> int:
    """Count the files of a conversation, or those of one kind."""
    query = _select(conversation, kind).with_only_columns(func.count(), maintain_column_froms=True)
    return read_natively(session, lambda reading: reading.scalars(query).one())


def _select(conversation: Conversation, kind: str | None) -> Select[Any]:
    if kind not in {None, *KINDS}:
        raise Invalid("There is no such kind of file.")
    query = select(*(getattr(Attachment, name) for name in COLUMNS)).where(
        Attachment.conversation_id == conversation.id
    )
    return query if kind is None else query.where(Attachment.kind == kind)


def _build(rows: Sequence[Row[Any]]) -> Sequence[ListedFile]:
    return [
        ListedFile(
            make_file(getattr(row, name) for name in COLUMNS),
            row.seq,
            row.created_at,
            None
            if row.sender_id is None
            else make_person(row.sender_id, row.username, row.sender_name, row.avatar_digest),
            row.bot_name,
        )
        for row in rows
    ]
