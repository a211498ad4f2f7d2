"""Queries of the API: pages of a user's conversations, and lookups by id."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from chatapp.api.schemas import MessagesQuery
from chatapp.conversations.people import Person
from chatapp.conversations.queries import ConversationAccess
from chatapp.conversations.refs import ConversationRef
from chatapp.models import Conversation, Membership, User
from chatapp.timeline import Page, read_page


@dataclass(frozen=True, slots=True)
class ConversationPage:
    """A page of a user's conversations, in the order of their ids."""

    accesses: Sequence[ConversationAccess]
    total: int
    has_older: bool
    has_newer: bool


def list_conversation_page(
    session: Session, user_id: int, *, before: int | None, after: int | None, limit: int
) -> ConversationPage:
    """Return the first `limit` of a user's conversations, or a page beside a cursor.

    With `after`, return the first ones with a higher id; with `before` alone, the last ones with a lower id.
    """
    own = (
        select(Conversation, Membership)
        .join(Membership, Membership.conversation_id == Conversation.id)
        .where(Membership.user_id == user_id)
    )
    is_backwards = before is not None and after is None
    query = own.order_by(Conversation.id.desc() if is_backwards else Conversation.id).limit(limit + 1)
    if before is not None:
        query = query.where(Conversation.id < before)
    if after is not None:
        query = query.where(Conversation.id > after)
    accesses = [ConversationAccess(conversation, membership) for conversation, membership in session.execute(query)]
    has_more = len(accesses) > limit
    has_newer = before is not None and _has_any(session, user_id, Membership.conversation_id >= before)
    has_older = after is not None and _has_any(session, user_id, Membership.conversation_id <= after)
    return ConversationPage(
        accesses=accesses[:limit][::-1] if is_backwards else accesses[:limit],
        total=session.scalars(select(func.count()).where(Membership.user_id == user_id)).one(),
        has_older=has_older or (has_more and is_backwards),
        has_newer=has_newer or (has_more and not is_backwards),
    )


def read_messages(session: Session, conversation: Conversation, query: MessagesQuery) -> Page:
    """Return the requested page of a conversation's messages."""
    return read_page(
        session,
        conversation,
        before=query.before,
        after=query.after,
        since=query.since,
        until=query.until,
        limit=query.limit,
    )


def find_ref(session: Session, conversation_id: int) -> ConversationRef | None:
    """Return the ref of the conversation with this id, or None. Does not check permissions."""
    conversation = session.get(Conversation, conversation_id)
    return None if conversation is None else ConversationRef.of(conversation)


def find_active_person(session: Session, user_id: int) -> Person | None:
    """Return the user, or None if there is none or the account is banned."""
    user = session.scalars(select(User).where(User.id == user_id, User.is_active)).one_or_none()
    return None if user is None else Person.of(user)


def _has_any(session: Session, user_id: int, condition: ColumnElement[bool]) -> bool:
    query = select(Membership.user_id).where(Membership.user_id == user_id, condition).limit(1)
    return session.execute(query).one_or_none() is not None
