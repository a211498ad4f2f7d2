"""Deleting the content of a message, and undoing it.

A deletion takes effect at once, for everybody. What it has removed moves to a table that no page, search, export or
archive reads (`Deletion`), and is deleted there permanently when the time is over.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import Table, bindparam, delete, func, insert, select
from sqlalchemy.orm import Session

from chatapp.conversations.policy import authorize_undeletion
from chatapp.errors import Conflict
from chatapp.extensions import db
from chatapp.files.rows import restore_files, take_files
from chatapp.models import Answer, Deletion, Membership, Mention, Message, MessageVersion, Pin, Reaction, User, now
from chatapp.models.messages import RUNNING_STATES
from chatapp.storage import Transaction, write
from chatapp.timeline.link_previews import restore_previews, take_previews
from chatapp.timeline.mentions import delete_mentions
from chatapp.timeline.messages import TimelineMessage
from chatapp.timeline.pins import count_pins, delete_pin
from chatapp.timeline.versions import delete_versions

UNDO_SECONDS = 10
"""Seconds in which the person who deleted a message can undo it."""

KEPT_SECONDS = 2 * UNDO_SECONDS
"""Seconds for which the removed text is kept: the clocks of processes differ, and requests take time."""

MAX_KEPT_CHARS = 100_000
"""Maximum length of all earlier versions that are kept together. Older ones are not restored."""

MAX_KEPT_VERSIONS = 100

_REACTIONS, _MENTIONS, _PINS, _VERSIONS = (
    cast(Table, model.__table__) for model in (Reaction, Mention, Pin, MessageVersion)
)

# Built once: building a statement takes as long as executing it.
_SELECT_REACTIONS = select(_REACTIONS.c.user_id, _REACTIONS.c.reaction, _REACTIONS.c.created_at).where(
    _REACTIONS.c.message_id == bindparam("message")
)
_SELECT_MENTIONED = select(_MENTIONS.c.user_id).where(_MENTIONS.c.message_id == bindparam("message"))
_SELECT_PIN = select(_PINS.c.user_id, _PINS.c.pinned_at).where(_PINS.c.message_id == bindparam("message"))
_SELECT_LENGTHS = (
    select(_VERSIONS.c.version, func.length(_VERSIONS.c.content))
    .where(_VERSIONS.c.message_id == bindparam("message"))
    .order_by(_VERSIONS.c.version.desc())
    .limit(MAX_KEPT_VERSIONS)
)
_SELECT_VERSIONS = select(_VERSIONS.c.version, _VERSIONS.c.content, _VERSIONS.c.written_at).where(
    _VERSIONS.c.message_id == bindparam("message"), _VERSIONS.c.version >= bindparam("first")
)
_DELETE_REACTIONS = delete(_REACTIONS).where(_REACTIONS.c.message_id == bindparam("message"))


def remove_content(session: Session, message: Message, user_id: int) -> None:
    """Remove the content of a message, with all that belongs to it, and keep it for `restore_content`.

    `user_id` is the person who deletes it.
    """
    connection, key = session.connection(), {"message": message.id}
    pin = connection.execute(_SELECT_PIN, key).one_or_none()
    removed = {
        "content": message.content,
        "metadata": message.extra,
        "versions": _list_versions(session, message) if message.edited_at else [],
        "reactions": [
            [each.user_id, each.reaction, each.created_at.isoformat()]
            for each in connection.execute(_SELECT_REACTIONS, key)
        ],
        "mentions": list(connection.execute(_SELECT_MENTIONED, key).scalars()),
        "pin": pin and [pin.user_id, pin.pinned_at.isoformat()],
        "files": take_files(session, message.id),
        "previews": take_previews(session, message),
    }
    message.content, message.extra, message.deleted_at = "", None, now()
    session.add(Deletion(message_id=message.id, user_id=user_id, deleted_at=message.deleted_at, removed=removed))
    delete_mentions(session, message.id)
    delete_versions(session, message.id)
    delete_pin(session, message.id)
    connection.execute(_DELETE_REACTIONS, key)


def end_undo_of_others(session: Session, message: Message, user_id: int) -> None:
    """Remove what is kept of a deleted message, if another person has deleted it: the last deletion counts.

    So an author who deletes first cannot undo what a manager deletes as well.
    """
    session.execute(delete(Deletion).where(Deletion.message_id == message.id, Deletion.user_id != user_id))


def restore_content(session: Session, message: Message, user_id: int, *, requested_at: datetime, max_pins: int) -> None:
    """Restore what `remove_content` has removed from a message, for the person who deleted it.

    Reactions, mentions and the pin of people who are gone meanwhile are not restored, nor is a pin above the limit. An
    answer that was being written ends as stopped.

    Raises `Forbidden` for others, and `Conflict` if the request came later than `UNDO_SECONDS` after the deletion.
    """
    deletion = session.get(Deletion, message.id)
    if deletion is not None:
        authorize_undeletion(deletion, user_id)
    if deletion is None or requested_at - deletion.deleted_at > timedelta(seconds=UNDO_SECONDS):
        raise Conflict(f"A deleted message can be restored only within {UNDO_SECONDS} seconds.")
    removed: Mapping[str, Any] = deletion.removed
    message.content, message.extra, message.deleted_at = removed["content"], removed["metadata"], None
    if message.state in RUNNING_STATES and not _has_open_answer(session, message.id):
        message.state = "stopped"
    session.delete(deletion)
    _insert(
        session,
        _VERSIONS,
        [
            {"message_id": message.id, "version": version, "content": content, "written_at": _parse_time(written_at)}
            for version, content, written_at in removed["versions"]
        ],
    )
    pin = removed["pin"]
    files = removed.get("files", [])
    user_ids = {
        *(user_id for user_id, _, _ in removed["reactions"]),
        *(pin or [])[:1],
        *(file["user_id"] for file in files),
    }
    users = _find_users(session, user_ids)
    restore_files(session, message.conversation_id, message.id, files, users)
    restore_previews(session, message, removed.get("previews", ()))
    _insert(
        session,
        _REACTIONS,
        [
            {"message_id": message.id, "user_id": user_id, "reaction": reaction, "created_at": _parse_time(created_at)}
            for user_id, reaction, created_at in removed["reactions"]
            if user_id in users
        ],
    )
    if pin and count_pins(session, message.conversation_id) < max_pins:
        pinned_by, pinned_at = pin
        session.add(
            Pin(
                message_id=message.id,
                conversation_id=message.conversation_id,
                user_id=pinned_by if pinned_by in users else None,
                pinned_at=_parse_time(pinned_at),
            )
        )
    of_message = {
        "conversation_id": message.conversation_id,
        "message_id": message.id,
        "seq": message.seq,
        "is_in_room": message.is_in_room,
    }
    mentioned = _find_members(session, message.conversation_id, removed["mentions"])
    _insert(session, _MENTIONS, [of_message | {"user_id": user_id} for user_id in sorted(mentioned)])


def find_undoable(session: Session, user_id: int, messages: Sequence[TimelineMessage]) -> Collection[int]:
    """Return the `seq` of those messages whose deletion this person can undo now. Most pages need no query."""
    earliest = now() - timedelta(seconds=UNDO_SECONDS)
    recent = {each.id: each.seq for each in messages if each.deleted_at is not None and each.deleted_at > earliest}
    if not recent:
        return ()
    ids = session.scalars(
        select(Deletion.message_id).where(Deletion.message_id.in_(list(recent)), Deletion.user_id == user_id)
    )
    return {recent[message_id] or 0 for message_id in ids}


def purge_deletions() -> None:
    """Delete permanently what was deleted longer than `KEPT_SECONDS` ago."""
    is_over = Deletion.deleted_at < now() - timedelta(seconds=KEPT_SECONDS)

    def change(transaction: Transaction) -> None:
        transaction.session.execute(delete(Deletion).where(is_over))

    if db.session.scalars(select(Deletion.message_id).where(is_over).limit(1)).first() is not None:
        write(change)


def _list_versions(session: Session, message: Message) -> list[list[object]]:
    """Return the number, the text and the time of the last earlier versions, as many as are kept."""
    connection, first, chars = session.connection(), None, 0
    for version, length in connection.execute(_SELECT_LENGTHS, {"message": message.id}).all():
        chars += length
        if chars > MAX_KEPT_CHARS:
            break
        first = version
    if first is None:
        return []
    rows = connection.execute(_SELECT_VERSIONS, {"message": message.id, "first": first})
    return [[row.version, row.content, row.written_at.isoformat()] for row in rows]


def _has_open_answer(session: Session, message_id: int) -> bool:
    is_open = select(Answer.id).where(Answer.message_id == message_id, Answer.ended_at.is_(None))
    return session.scalars(is_open).first() is not None


def _find_users(session: Session, ids: Collection[int | None]) -> set[int]:
    return set(session.scalars(select(User.id).where(User.id.in_(ids)))) if ids else set()


def _find_members(session: Session, conversation_id: int, ids: Collection[int]) -> set[int]:
    if not ids:
        return set()
    is_member = Membership.conversation_id == conversation_id, Membership.user_id.in_(ids)
    return set(session.scalars(select(Membership.user_id).where(*is_member)))


def _insert(session: Session, table: Table, rows: Sequence[Mapping[str, object]]) -> None:
    if rows:
        session.connection().execute(insert(table), list(rows))


def _parse_time(text: str) -> datetime:
    return datetime.fromisoformat(text)
