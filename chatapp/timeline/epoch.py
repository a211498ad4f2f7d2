"""The installation's epoch: how clients learn that the numbers they know are worthless.

A restored backup has lower numbers than clients know, and gives the ones in between to other events. So the data folder
remembers how many events the database has had; a database that has had fewer at the next start was restored.
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
    """Make every client start from the last page."""
    write(_renew)


def renew_epoch_if_restored(path: Path) -> None:
    """Renew the epoch if the database has had fewer events than `path` remembers, and remember what it has had."""
    epoch, events = _state(db.session())
    if path.exists():
        known = json.loads(path.read_text())
        if known["epoch"] == epoch and known["events"] > events:
            log.warning("database was restored from a backup", events=events, known=known["events"])
            renew_epoch()
    remember_events(path)


def remember_events(path: Path) -> None:
    """Write down how many events the database has had."""
    epoch, events = _state(db.session())
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps({"epoch": epoch, "events": events}))
    draft.replace(path)


def _renew(transaction: Transaction) -> None:
    transaction.session.execute(update(Installation).values(epoch=secrets.token_hex(16)))


def _state(session: Session) -> tuple[str, int]:
    # PostgreSQL gives the sum of large integers as a decimal.
    return get_epoch(session), int(session.scalars(select(func.coalesce(func.sum(Conversation.last_event), 0))).one())
