"""The installation's epoch. When it changes, clients discard the event numbers that they know.

A restored backup has lower event numbers than clients know, and assigns the ones in between to other events. The data
folder therefore records the last acknowledged event of each conversation: see `chatapp.storage.watermarks`. A database
that lacks one of them was restored.
"""

import secrets
from collections.abc import Mapping

import structlog
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from chatapp.extensions import db
from chatapp.models import Conversation, Installation
from chatapp.storage import DELETED, Transaction, current_writer, write
from chatapp.storage.watermarks import Watermarks

log = structlog.get_logger(__name__)


def get_epoch(session: Session) -> str:
    """Return the installation's epoch."""
    return session.scalars(select(Installation.epoch)).one()


def renew_epoch() -> None:
    """Replace the epoch, so that every client starts again from the last page. Raises `Unavailable`."""
    write(_renew)
    record_all(current_writer().watermarks, db.session())


def renew_epoch_if_restored(*, is_start: bool) -> None:
    """Renew the epoch if the database lacks an acknowledged event, or at the start if it has an unknown epoch.

    While the process runs, another epoch is one that another process or a command has just created.

    Raises `Unavailable`, `OSError` and errors of the database.
    """
    watermarks = current_writer().watermarks
    # Before the database: its event numbers may rise meanwhile, but never fall.
    recorded = watermarks.read()
    if recorded is None:
        record_all(watermarks, db.session())
        return
    label, marks = recorded
    has_known_epoch = label == get_epoch(db.session())
    heads = _read_heads(db.session())
    lacking = _find_lacking(marks, heads)
    if lacking or (is_start and not has_known_epoch):
        log.warning("database was restored from a backup: open pages load their last page", conversations=len(lacking))
        renew_epoch()
    elif has_known_epoch:
        watermarks.record(heads)
    else:
        record_all(watermarks, db.session())


def adopt_renewed_epoch() -> None:
    """Record the epoch if another process or a command has renewed it. Raises what `renew_epoch_if_restored` raises."""
    if current_writer().watermarks.label != get_epoch(db.session()):
        db.session.rollback()
        renew_epoch_if_restored(is_start=False)


def renew_in(session: Session) -> None:
    """Replace the epoch in the transaction of `session`. The caller commits it, and calls `record_all`."""
    session.execute(update(Installation).values(epoch=secrets.token_hex(16)))


def record_all(watermarks: Watermarks, session: Session) -> None:
    """Start the record again, with the events that the database has. Ends the transaction of `session`."""
    watermarks.replace(get_epoch(session), _read_heads(session))
    # Events may have been committed and recorded since they were read.
    session.rollback()
    watermarks.record(_read_heads(session))


def is_lacking_events(watermarks: Watermarks, session: Session) -> bool:
    """Return whether the database lacks an event that was acknowledged in its epoch."""
    recorded = watermarks.read()
    if recorded is None:
        return False
    label, marks = recorded
    # Another process may have renewed the epoch, and not have replaced the marks yet.
    return label == get_epoch(session) and bool(_find_lacking(marks, _read_heads(session)))


def _renew(transaction: Transaction) -> None:
    renew_in(transaction.session)


def _read_heads(session: Session) -> dict[int, int]:
    return {row.id: row.last_event for row in session.execute(select(Conversation.id, Conversation.last_event))}


def _find_lacking(marks: Mapping[int, int], heads: Mapping[int, int]) -> list[int]:
    """Return the ids of the conversations that the database has in an earlier state than was recorded."""
    return [
        conversation_id
        for conversation_id, mark in marks.items()
        if (conversation_id in heads if mark == DELETED else heads.get(conversation_id, 0) < mark)
    ]
