"""The rows of messages' files."""

from collections.abc import Iterable, Sequence
from dataclasses import fields

from sqlalchemy import bindparam, delete, insert, select
from sqlalchemy.orm import Session

from chatapp.files.attached import AttachedFile
from chatapp.models import Attachment
from chatapp.storage import BulkStatement

_FILES = Attachment.__table__

_COLUMNS = tuple(field.name for field in fields(AttachedFile))
"""Those that are fields of an `AttachedFile`."""

# Built once: building a statement takes as long as executing it.
_INSERT = BulkStatement(insert(Attachment), ("message_id", "position", "conversation_id", "user_id", *_COLUMNS))

_SELECT = (
    select(_FILES.c.message_id, *(_FILES.c[name] for name in _COLUMNS))
    .where(_FILES.c.message_id.in_(bindparam("ids", expanding=True)))
    .order_by(_FILES.c.message_id, _FILES.c.position)
)

_DELETE = delete(Attachment).where(Attachment.message_id == bindparam("message_id"))


def fetch_files(session: Session, message_ids: Sequence[int]) -> dict[int, tuple[AttachedFile, ...]]:
    """Return the files of each of the messages that have any, in their order."""
    if not message_ids:
        return {}
    found: dict[int, list[AttachedFile]] = {}
    for message_id, *values in session.execute(_SELECT, {"ids": message_ids}):
        found.setdefault(message_id, []).append(AttachedFile(**dict(zip(_COLUMNS, values, strict=True))))
    return {message_id: tuple(files) for message_id, files in found.items()}


def store_files(session: Session, messages: Iterable[tuple[int, int, int | None, Sequence[AttachedFile]]]) -> None:
    """Insert the files of messages: conversation id, message id, the user who uploaded them, files."""
    rows = [
        {
            "message_id": message_id,
            "position": position,
            "conversation_id": conversation_id,
            "user_id": user_id,
            **file.to_fields(),
        }
        for conversation_id, message_id, user_id, files in messages
        for position, file in enumerate(files)
    ]
    if rows:
        _INSERT.execute(session.connection(), rows)


def delete_files(session: Session, message_id: int) -> None:
    """Delete the rows of a message's files. The sweep removes files that no other row refers to."""
    session.connection().execute(_DELETE, {"message_id": message_id})
