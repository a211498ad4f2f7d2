"""Figures that are read from the database for metrics, at most once a minute."""

import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from sqlalchemy import func, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from chatapp.conversations.kinds import AssistantSession
from chatapp.errors import ChatError
from chatapp.extensions import db
from chatapp.models import Conversation, now
from chatapp.storage import read_from_replica

MAX_AGE_SECONDS = 60.0
"""Time after which the figures are read again, when they are asked for."""


@dataclass(frozen=True, slots=True)
class DatabaseFigures:
    """Assistant sessions, and the size of the database."""

    bytes: int
    sessions: int
    sessions_last_hour: int
    """Sessions that were created in the last hour."""
    average_messages: float
    """Messages of a session, on average."""
    max_messages: int
    """Messages of the longest session."""


class DatabaseReport:
    """The last figures that could be read."""

    def __init__(self) -> None:
        self._figures: DatabaseFigures | None = None
        self._expires_at = float("-inf")

    def get(self) -> DatabaseFigures | None:
        """Return the figures, within an application context; older ones while the database cannot be read."""
        if time.monotonic() >= self._expires_at:
            # Before the query: requests that arrive during it get the older figures.
            self._expires_at = time.monotonic() + MAX_AGE_SECONDS
            try:
                self._figures = _read_figures(db.session())
            except (SQLAlchemyError, ChatError):
                db.session.rollback()
        return self._figures


def _read_figures(session: Session) -> DatabaseFigures:
    columns = func.count(), func.avg(Conversation.message_count), func.max(Conversation.message_count)
    query = select(*columns).where(AssistantSession.condition())
    sessions, average, maximum = read_from_replica(session, lambda session: session.execute(query).one())
    recent = session.scalar(
        select(func.count())
        .select_from(Conversation)
        .where(AssistantSession.condition(), Conversation.created_at > now() - timedelta(hours=1))
    )
    return DatabaseFigures(
        bytes=_measure_size(session),
        sessions=sessions,
        sessions_last_hour=recent or 0,
        average_messages=float(average or 0),
        max_messages=maximum or 0,
    )


def _measure_size(session: Session) -> int:
    """Return the size of the database in bytes; with SQLite of its file and of the write-ahead log."""
    if db.engine.dialect.name != "sqlite":
        return session.scalar(text("SELECT pg_database_size(current_database())")) or 0
    path = Path(db.engine.url.database or "")
    files = (path, path.with_name(f"{path.name}-wal"))
    return sum(file.stat().st_size for file in files if file.exists())
