"""How conversations with assistants are found."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from chatapp.conversations.kinds import SharedAssistant
from chatapp.conversations.queries import select_sessions
from chatapp.models import Conversation, Message
from chatapp.timeline import TimelineMessage
from chatapp.timeline.messages import fetch_messages, select_messages

LISTED = 200
"""Sessions that a list has at the most; a search finds the others."""


@dataclass(frozen=True, slots=True)
class SessionSummary:
    """A person's session with an assistant, as lists show it."""

    id: int
    assistant: str
    title: str
    began_at: datetime
    used_at: datetime
    ended_at: datetime | None
    message_count: int

    @classmethod
    def of(cls, conversation: Conversation) -> "SessionSummary":
        """Make the value of a row."""
        return cls(
            id=conversation.id,
            assistant=conversation.assistant or "",
            title=conversation.name or "New session",
            began_at=conversation.created_at,
            used_at=conversation.updated_at,
            ended_at=conversation.ended_at,
            message_count=conversation.message_count,
        )


@dataclass(frozen=True, slots=True)
class Sessions:
    """Some of a person's sessions, and how many there are."""

    sessions: Sequence[SessionSummary]
    total: int


def find_shared(session: Session, assistant: str) -> Conversation | None:
    """Find the conversation that everybody has with an assistant."""
    return session.scalars(
        select(Conversation).where(SharedAssistant.condition(), Conversation.assistant == assistant)
    ).one_or_none()


def list_sessions(session: Session, user_id: int, *, words: str = "", limit: int = LISTED, offset: int = 0) -> Sessions:
    """List a person's own sessions, the one that was last used first; only those with `words` in their title."""
    query = select_sessions(user_id)
    if "\0" in words:
        return Sessions([], 0)  # PostgreSQL cannot even be asked for it.
    if words.strip():
        query = query.where(func.lower(Conversation.name).contains(words.strip().lower(), autoescape=True))
    total = session.scalars(select(func.count()).select_from(query.order_by(None).subquery())).one()
    shown = session.scalars(query.limit(limit).offset(offset))
    return Sessions([SessionSummary.of(conversation) for conversation in shown], total)


def list_history(session: Session, conversation: Conversation, *, limit: int, offset: int) -> Sequence[TimelineMessage]:
    """List messages of a conversation from the first one on, without the first `offset`."""
    query = select_messages(conversation).order_by(Message.seq).limit(limit).offset(offset)
    return fetch_messages(session, query, conversation)
