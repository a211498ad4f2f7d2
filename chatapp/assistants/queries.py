"""Queries for conversations with assistants."""

from collections.abc import Container, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from chatapp.assistants.tags import split_tags
from chatapp.config.assistants import ASSISTANT_NAME_PATTERN, make_assistant_key
from chatapp.conversations.kinds import SharedAssistant
from chatapp.conversations.queries import list_shared_conversations, select_sessions
from chatapp.models import Conversation, Message
from chatapp.storage import contains_folded
from chatapp.timeline import TimelineMessage
from chatapp.timeline.messages import fetch_messages, select_messages
from chatapp.timeline.metadata import Metadata

MAX_LISTED_SESSIONS = 200
"""Sessions in a list; a search finds the others."""


@dataclass(frozen=True, slots=True)
class SessionSummary:
    """An assistant session in a list."""

    id: int
    assistant: str
    title: str
    started_at: datetime
    used_at: datetime
    ended_at: datetime | None
    message_count: int
    metadata: Metadata | None
    category: str
    tags: Sequence[str]
    is_pinned: bool

    @classmethod
    def of(cls, conversation: Conversation) -> Self:
        """Return the summary of a row."""
        return cls(
            id=conversation.id,
            assistant=conversation.assistant or "",
            title=conversation.name or "New session",
            started_at=conversation.created_at,
            used_at=conversation.updated_at,
            ended_at=conversation.ended_at,
            message_count=conversation.message_count,
            metadata=conversation.extra,
            category=conversation.category or "",
            tags=split_tags(conversation.tags or ""),
            is_pinned=conversation.pinned_at is not None,
        )


@dataclass(frozen=True, slots=True)
class SessionList:
    """A page of a user's sessions, and the number of all that match."""

    sessions: Sequence[SessionSummary]
    total: int


def find_shared_conversation(session: Session, assistant: str) -> Conversation | None:
    """Find the conversation that all users share with the assistant of this name, in any case."""
    if not ASSISTANT_NAME_PATTERN.fullmatch(assistant.strip()):
        return None
    return session.scalars(
        select(Conversation).where(SharedAssistant.condition(), Conversation.assistant == make_assistant_key(assistant))
    ).one_or_none()


def list_former(session: Session, assistants: Container[str | None]) -> Sequence[Conversation]:
    """List the shared conversations that have messages, but whose assistants are not configured."""
    return [
        conversation
        for conversation in list_shared_conversations(session)
        if conversation.message_count and conversation.assistant not in assistants
    ]


def list_sessions(
    session: Session,
    user_id: int,
    *,
    words: str = "",
    category: str = "",
    limit: int = MAX_LISTED_SESSIONS,
    offset: int = 0,
) -> SessionList:
    """List the user's sessions, the pinned and the last used ones first.

    With `words` those whose title or one of whose tags contains them, with `category` those of this category.
    """
    query = select_sessions(user_id)
    if searched := words.strip():
        query = query.where(
            or_(contains_folded(Conversation.name, searched), contains_folded(Conversation.tags, searched))
        )
    if category.strip():
        query = query.where(func.lower(Conversation.category) == category.strip().lower())
    total = session.scalars(select(func.count()).select_from(query.order_by(None).subquery())).one()
    page = session.scalars(query.limit(limit).offset(offset))
    return SessionList([SessionSummary.of(conversation) for conversation in page], total)


def list_history(session: Session, conversation: Conversation, *, limit: int, offset: int) -> Sequence[TimelineMessage]:
    """List messages of a conversation, the oldest first, after skipping `offset` messages."""
    query = select_messages(conversation).order_by(Message.seq).limit(limit).offset(offset)
    return fetch_messages(session, query, conversation)
