"""The installation's epoch. When it changes, clients discard the event numbers that they know.

A restored backup has lower event numbers than clients know, and assigns the ones in between to other events. The data
folder therefore records how many events the database has had: a database with fewer at the next start was restored.
"""

import json
import secrets
from pathlib import Path

import structlog
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from chatapp.extensions import db
from chatapp.models import Conversation, Installation
from chatapp.storage import Transaction, write

log = structlog.get_logger(__name__)


def get_epoch(session: Session) -> str:
    """Return the installation's epoch."""
    return session.scalars(select(Installation.epoch)).one()


def renew_epoch() -> None:
    """Replace the epoch, so that every client starts again from the last page."""
    write(_renew)


def renew_epoch_if_restored(path: Path) -> None:
    """Renew the epoch if the database has had fewer events than `path` records, and record the current number."""
    epoch, events = _read_state(db.session())
    if path.exists():
        recorded = json.loads(path.read_text())
        if recorded["epoch"] == epoch and recorded["events"] > events:
            log.warning("database was restored from a backup", events=events, recorded_events=recorded["events"])
            renew_epoch()
    remember_events(path)


def remember_events(path: Path) -> None:
    """Record in the file `path` how many events the database has had."""
    epoch, events = _read_state(db.session())
    # Replaced atomically: a crash leaves the old file or the new one.
    temporary = path.with_suffix(".draft")
    temporary.write_text(json.dumps({"epoch": epoch, "events": events}))
    temporary.replace(path)


def _renew(transaction: Transaction) -> None:
    transaction.session.execute(update(Installation).values(epoch=secrets.token_hex(16)))


def _read_state(session: Session) -> tuple[str, int]:
    # On PostgreSQL the sum of BIGINT values is a Decimal.
    return get_epoch(session), int(session.scalars(select(func.coalesce(func.sum(Conversation.last_event), 0))).one())
