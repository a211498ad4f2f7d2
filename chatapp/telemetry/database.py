"""Figures that are read from the database for metrics, at most once a minute."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from chatapp.conversations.kinds import AssistantSession
from chatapp.errors import ChatError
from chatapp.extensions import db
from chatapp.models import Conversation, now
from chatapp.models.conversations import format_wire_name
from chatapp.storage import read_from_replica

MAX_AGE_SECONDS = 60.0
"""Time after which the figures are read again, when they are asked for."""


MAX_LARGEST = 10
"""Number of the largest conversations that are read."""


@dataclass(frozen=True, slots=True)
class ConversationSize:
    """A conversation, and its number of messages."""

    title: str
    """The name of an open conversation. That of a private one is only for its members: its wire name."""
    messages: int


@dataclass(frozen=True, slots=True)
class DatabaseFigures:
    """Messages, conversations, assistant sessions, and the size of the database."""

    product: str
    """Name of the database's kind."""
    version: str
    bytes: int
    messages: int
    conversations: int
    largest: Sequence[ConversationSize]
    """The conversations with the most messages, largest first."""
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
    read = read_from_replica(session, _read_conversations)
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    product, query = ("SQLite", "SELECT sqlite_version()") if is_sqlite else ("PostgreSQL", "SHOW server_version")
    return DatabaseFigures(product, session.scalar(text(query)) or "", measure_size(session), **read)


def _read_conversations(session: Session) -> dict[str, Any]:
    """Read the conversations, of which there are far fewer than messages, and which count theirs."""
    counts = func.count(), func.sum(Conversation.message_count)
    conversations, messages = session.execute(select(*counts)).one()
    columns = *counts, func.max(Conversation.message_count)
    query = select(*columns).where(AssistantSession.condition())
    sessions, session_messages, maximum = session.execute(query).one()
    is_recent = Conversation.created_at > now() - timedelta(hours=1)
    recent = select(func.count()).select_from(Conversation).where(AssistantSession.condition(), is_recent)
    return {
        "conversations": conversations,
        "messages": int(messages or 0),
        "largest": _list_largest(session),
        "sessions": sessions,
        "sessions_last_hour": session.scalar(recent) or 0,
        "average_messages": float(session_messages or 0) / max(sessions, 1),
        "max_messages": maximum or 0,
    }


def _list_largest(session: Session) -> list[ConversationSize]:
    columns = Conversation.kind, Conversation.id, Conversation.name, Conversation.visibility, Conversation.message_count
    query = select(*columns).where(Conversation.message_count > 0)
    rows = session.execute(query.order_by(Conversation.message_count.desc(), Conversation.id).limit(MAX_LARGEST))
    return [
        ConversationSize(name if name and visibility == "open" else format_wire_name(kind, conversation_id), messages)
        for kind, conversation_id, name, visibility, messages in rows
    ]


def measure_size(session: Session) -> int:
    """Return the size of the database in bytes; with SQLite of its file and of the write-ahead log."""
    if db.engine.dialect.name != "sqlite":
        return session.scalar(text("SELECT pg_database_size(current_database())")) or 0
    path = Path(db.engine.url.database or "")
    files = (path, path.with_name(f"{path.name}-wal"))
    return sum(file.stat().st_size for file in files if file.exists())
