"""The rows of messages' files."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import bindparam, delete, insert, select
from sqlalchemy.orm import Session

from chatapp.files.attached import AttachedFile
from chatapp.models import Attachment, Message
from chatapp.storage import BulkStatement, ReadStatement

_FILES = Attachment.__table__

COLUMNS = tuple(field.name for field in fields(AttachedFile))
"""Those that are fields of an `AttachedFile`."""

# Built once: building a statement takes as long as executing it.
_INSERT = BulkStatement(insert(Attachment), ("message_id", "position", "conversation_id", "user_id", *COLUMNS))

_SELECT = (
    select(_FILES.c.message_id, *(_FILES.c[name] for name in COLUMNS))
    .where(_FILES.c.message_id.in_(bindparam("ids", expanding=True)))
    .order_by(_FILES.c.message_id, _FILES.c.position)
)

_SELECT_OF_ONE = (
    select(_FILES.c.user_id, *(_FILES.c[name] for name in COLUMNS))
    .where(_FILES.c.message_id == bindparam("message_id"))
    .order_by(_FILES.c.position)
)

_SELECT_NAMES = (
    select(_FILES.c.message_id, _FILES.c.name)
    .where(_FILES.c.message_id.in_(bindparam("ids", expanding=True)))
    .order_by(_FILES.c.message_id, _FILES.c.position)
)

_FIND = ReadStatement(
    select(*(_FILES.c[name] for name in COLUMNS))
    .join(Message, Message.id == _FILES.c.message_id)
    .where(
        _FILES.c.conversation_id == bindparam("conversation_id"),
        _FILES.c.digest == bindparam("digest"),
        Message.deleted_at.is_(None),
    )
    .order_by(_FILES.c.name != bindparam("name"), _FILES.c.message_id)
    .limit(1)
)

_DELETE = delete(Attachment).where(Attachment.message_id == bindparam("message_id"))

_DELETE_SOME = _DELETE.where(Attachment.digest.in_(bindparam("digests", expanding=True)))


def make_file(values: Iterable[Any]) -> AttachedFile:
    """Return the file with these values of `COLUMNS`."""
    return AttachedFile(**dict(zip(COLUMNS, values, strict=True)))


def fetch_files(session: Session, message_ids: Sequence[int]) -> dict[int, tuple[AttachedFile, ...]]:
    """Return the files of each of the messages that have any, in their order."""
    return group_files(session.execute(_SELECT, {"ids": message_ids})) if message_ids else {}


def group_files(rows: Iterable[Sequence[Any]]) -> dict[int, tuple[AttachedFile, ...]]:
    """Return the files of each message in rows of its id and the values of `COLUMNS`, in the order of the rows."""
    found: dict[int, list[AttachedFile]] = {}
    for message_id, *values in rows:
        found.setdefault(message_id, []).append(make_file(values))
    return {message_id: tuple(files) for message_id, files in found.items()}


def find_file(session: Session, conversation_id: int, digest: str, name: str) -> AttachedFile | None:
    """Return the file with a digest of the messages of a conversation, or None.

    Messages may name the same content differently: if one names it `name`, that is its name.
    """
    rows = _FIND.fetch(session, conversation_id=conversation_id, digest=digest, name=name)
    return make_file(rows[0]) if rows else None


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


def find_file_names(session: Session, message_ids: Sequence[int]) -> dict[int, tuple[str, ...]]:
    """Return the names of the files of each of the messages that have any, in their order."""
    names: dict[int, tuple[str, ...]] = {}
    if message_ids:
        for message_id, name in session.connection().execute(_SELECT_NAMES, {"ids": message_ids}):
            names[message_id] = (*names.get(message_id, ()), name)
    return names


def take_files(session: Session, message_id: int) -> list[dict[str, Any]]:
    """Delete the rows of a message's files, and return the fields of each, with the id of the user who uploaded it.

    The sweep removes files that no other row refers to.
    """
    connection, key = session.connection(), {"message_id": message_id}
    removed = [dict(row) for row in connection.execute(_SELECT_OF_ONE, key).mappings()]
    if removed:
        connection.execute(_DELETE, key)
    return removed


def restore_files(
    session: Session,
    conversation_id: int,
    message_id: int,
    removed: Sequence[Mapping[str, Any]],
    users: Collection[int],
) -> None:
    """Insert the rows that `take_files` has deleted. `users` are the ids of users that exist."""
    rows = [
        {
            "message_id": message_id,
            "position": position,
            "conversation_id": conversation_id,
            **fields,
            "user_id": fields["user_id"] if fields["user_id"] in users else None,
        }
        for position, fields in enumerate(removed)
    ]
    if rows:
        _INSERT.execute(session.connection(), rows)


def delete_some_files(session: Session, message_id: int, digests: Sequence[str]) -> bool:
    """Delete the rows of those of a message's files that have these digests. Return whether there were any."""
    parameters = {"message_id": message_id, "digests": digests}
    return bool(digests) and session.connection().execute(_DELETE_SOME, parameters).rowcount > 0


def has_files(session: Session, message_id: int) -> bool:
    """Return whether a message has files."""
    return bool(find_file_names(session, [message_id]))
