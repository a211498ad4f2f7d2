"""Queries for the conversations and people that a user can jump to."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, UnaryExpression, and_, func, or_, select
from sqlalchemy.orm import Session

from chatapp.conversations.kinds import AssistantSession, Direct, General, Room, SharedAssistant, kind_of
from chatapp.conversations.people import Person, name_begins_with
from chatapp.conversations.policy import authorize_posting, authorize_reading, may_post, may_read, may_view
from chatapp.conversations.queries import JOIN_MEMBERSHIP, ConversationAccess
from chatapp.models import Conversation, Membership, User
from chatapp.storage import contains_folded

MAX_DESTINATIONS = 100
"""Maximum number of people, and of conversations of each kind."""


def list_destinations(session: Session, user_id: int, text: str) -> Sequence[ConversationAccess]:
    """List the rooms, direct conversations and sessions that a user may know about and whose title contains `text`.

    At most `MAX_DESTINATIONS` of each. Those with everybody, the general chat and assistants, are in each sidebar.
    """
    wanted = text.strip()
    is_member = Membership.user_id.is_not(None)
    is_named = contains_folded(Conversation.name, wanted)
    is_joinable = and_(Conversation.visibility == "open", Conversation.ended_at.is_(None))
    is_with = (
        select(Membership.user_id)
        .join(User, User.id == Membership.user_id)
        .where(Membership.conversation_id == Conversation.id, name_begins_with(wanted))
        .correlate(Conversation)
        .exists()
    )
    used_last = Conversation.updated_at.desc()
    found = [
        *_list(
            session, user_id, (Room.condition(), is_named, or_(is_member, is_joinable)), func.lower(Conversation.name)
        ),
        *_list(session, user_id, (Direct.condition(), Conversation.last_event > 0, is_member, is_with), used_last),
        *_list(session, user_id, (AssistantSession.condition(), is_named, is_member), used_last),
    ]
    return [access for access in found if may_view(*access)]


def list_readable_destinations(session: Session, user_id: int, text: str) -> Sequence[Conversation]:
    """List the rooms, sessions and conversations with everybody that a user may read and whose title contains `text`.

    Those with everybody are listed whatever their title.
    """
    found = [*_list_open_to_all(session, user_id), *list_destinations(session, user_id, text)]
    readable = [authorize_reading(*access) for access in found if may_read(*access)]
    return [conversation for conversation in readable if not kind_of(conversation).is_titled_by_people]


def list_writable(session: Session, user_id: int, text: str) -> Sequence[Conversation]:
    """List the conversations to which a user may post and whose title contains `text`: the last used first.

    Those with everybody, the general chat and assistants, are listed whatever their title.
    """
    found = [*_list_open_to_all(session, user_id), *list_destinations(session, user_id, text)]
    writable = [authorize_posting(*access) for access in found if may_post(*access)]
    return sorted(writable, key=lambda conversation: conversation.updated_at, reverse=True)


def list_people(session: Session, text: str) -> Sequence[Person]:
    """List the active users one of whose names begins with `text`, by name: at most `MAX_DESTINATIONS`."""
    query = select(User).where(User.is_active, name_begins_with(text.strip().removeprefix("@")))
    users = session.scalars(query.order_by(func.lower(User.name), User.id).limit(MAX_DESTINATIONS))
    return [Person.of(user) for user in users]


def _list_open_to_all(session: Session, user_id: int) -> list[ConversationAccess]:
    is_open_to_all = or_(General.condition(), SharedAssistant.condition())
    return _list(session, user_id, (is_open_to_all,), Conversation.updated_at.desc())


def _list(
    session: Session,
    user_id: int,
    conditions: Sequence[ColumnElement[bool]],
    order: ColumnElement[Any] | UnaryExpression[Any],
) -> list[ConversationAccess]:
    query = select(Conversation, Membership).outerjoin(Membership, JOIN_MEMBERSHIP).where(*conditions)
    rows = session.execute(query.order_by(order, Conversation.id).limit(MAX_DESTINATIONS), {"user_id": user_id})
    return [ConversationAccess(conversation, membership) for conversation, membership in rows]
