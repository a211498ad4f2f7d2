"""How conversations are found."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Select, and_, func, select, tuple_
from sqlalchemy.orm import Session

from chatapp.actors import Actor, require_active_login
from chatapp.conversations.names import ConversationName
from chatapp.conversations.people import Person
from chatapp.models import Conversation, Installation, Membership, User

SIDEBAR_DIRECT = 20
"""Direct conversations in the sidebar; the others stand on a page of their own."""

SIDEBAR_SESSIONS = 5
"""Own sessions with assistants in the sidebar, likewise."""


@dataclass(frozen=True, slots=True)
class RoomSummary:
    """A room as lists show it."""

    id: int
    name: str
    topic: str
    is_private: bool
    is_archived: bool
    member_count: int


class ConversationAccess(NamedTuple):
    """A conversation and what one person has to do with it; both None where there is nothing."""

    conversation: Conversation | None
    membership: Membership | None


def find_access(session: Session, name: ConversationName, user_id: int) -> ConversationAccess:
    """Find the conversation of that name with the person's membership. It permits nothing: see `policy`."""
    row = session.execute(
        select(Conversation, Membership)
        .outerjoin(Membership, and_(Membership.conversation_id == Conversation.id, Membership.user_id == user_id))
        .where(Conversation.id == name.id, Conversation.kind == name.kind)
    ).one_or_none()
    return ConversationAccess(None, None) if row is None else ConversationAccess(row[0], row[1])


def find_conversation(session: Session, name: ConversationName) -> Conversation | None:
    """Find the conversation of that name. It permits nothing."""
    return session.scalars(
        select(Conversation).where(Conversation.id == name.id, Conversation.kind == name.kind)
    ).one_or_none()


def find_access_of(session: Session, name: ConversationName, actor: Actor) -> ConversationAccess:
    """Find the conversation of that name with the membership of somebody who is signed in. Raises `SignedOut`."""
    require_active_login(session, actor)
    return find_access(session, name, actor.user_id)


def find_accesses(session: Session, keys: Collection[tuple[int, int]]) -> dict[tuple[int, int], ConversationAccess]:
    """Find many places at once, by the conversation's id and the person's: those with a membership, and no others."""
    rows = session.execute(
        select(Conversation, Membership)
        .join(Membership, Membership.conversation_id == Conversation.id)
        .where(tuple_(Membership.conversation_id, Membership.user_id).in_(keys))
        .execution_options(populate_existing=True)
    )
    return {
        (conversation.id, membership.user_id): ConversationAccess(conversation, membership)
        for conversation, membership in rows
    }


def direct_key(user_ids: Collection[int]) -> str:
    """Give the key of the one direct conversation that these people have."""
    return ":".join(map(str, sorted(set(user_ids))))


def find_direct(session: Session, key: str) -> Conversation | None:
    """Find the conversation with the key."""
    return session.scalars(select(Conversation).where(Conversation.direct_key == key)).one_or_none()


def list_conversations(session: Session, user_id: int) -> Sequence[Conversation]:
    """List what stands in a person's sidebar.

    The general chat, then their rooms that are not archived by name, then the direct conversations that were last used,
    the conversations with assistants that all share, and the own sessions that were last used.
    """
    rooms = session.scalars(
        _select_mine(user_id)
        .where(Conversation.kind.in_(("general", "room")), Conversation.ended_at.is_(None))
        .order_by(Conversation.kind != "general", func.lower(Conversation.name), Conversation.id)
    ).all()
    return [
        *rooms,
        *list_direct_conversations(session, user_id, limit=SIDEBAR_DIRECT),
        *list_shared_conversations(session),
        *session.scalars(select_sessions(user_id).limit(SIDEBAR_SESSIONS)),
    ]


def list_direct_conversations(session: Session, user_id: int, *, limit: int) -> Sequence[Conversation]:
    """List a person's direct conversations in which somebody said something, the last one first."""
    return session.scalars(
        _select_mine(user_id)
        .where(Conversation.kind == "direct", Conversation.last_event > 0)
        .order_by(Conversation.updated_at.desc(), Conversation.id.desc())
        .limit(limit)
    ).all()


def list_shared_conversations(session: Session) -> Sequence[Conversation]:
    """List the conversations that everybody has with assistants together, by the assistant's name."""
    return session.scalars(
        select(Conversation)
        .where(Conversation.kind == "assistant", Conversation.visibility == "open")
        .order_by(Conversation.assistant)
    ).all()


def select_sessions(user_id: int) -> Select[Conversation]:
    """Select a person's own sessions with assistants, the one that was last used first."""
    return (
        _select_mine(user_id)
        .where(Conversation.kind == "assistant")
        .order_by(Conversation.updated_at.desc(), Conversation.id.desc())
    )


def _select_mine(user_id: int) -> Select[Conversation]:
    return (
        select(Conversation)
        .join(Membership, Membership.conversation_id == Conversation.id)
        .where(Membership.user_id == user_id)
    )


def list_conversation_names(session: Session, user_id: int) -> Sequence[str]:
    """List the wire names of all conversations that a person is in."""
    return [conversation.wire_name for conversation in session.scalars(_select_mine(user_id))]


def list_people(session: Session, conversation_ids: Sequence[int]) -> dict[int, list[Person]]:
    """List who is in each of the conversations, by name."""
    people: dict[int, list[Person]] = {conversation_id: [] for conversation_id in conversation_ids}
    for conversation_id, user in session.execute(
        select(Membership.conversation_id, User)
        .join(User, User.id == Membership.user_id)
        .where(Membership.conversation_id.in_(conversation_ids))
        .order_by(func.lower(User.name), User.id)
    ):
        people[conversation_id].append(Person.of(user))
    return people


def list_member_ids(session: Session, conversation_id: int) -> Sequence[int]:
    """List the ids of a room's members."""
    return session.scalars(select(Membership.user_id).where(Membership.conversation_id == conversation_id)).all()


def select_rooms() -> Select[Conversation, int]:
    """Select rooms, each with how many members it has."""
    count = (
        select(func.count())
        .select_from(Membership)
        .where(Membership.conversation_id == Conversation.id)
        .correlate(Conversation)
        .scalar_subquery()
    )
    return select(Conversation, count).where(Conversation.kind == "room")


def list_summaries(session: Session, query: Select[Conversation, int]) -> list[RoomSummary]:
    """Run a query made by `select_rooms`, by name."""
    rows = session.execute(query.order_by(func.lower(Conversation.name), Conversation.id))
    return [
        RoomSummary(room.id, room.name, room.topic, room.is_private, room.is_archived, count) for room, count in rows
    ]


def get_summary(session: Session, room: Conversation) -> RoomSummary:
    """Give one room as lists show it."""
    (summary,) = list_summaries(session, select_rooms().where(Conversation.id == room.id))
    return summary


def get_revocation_count(session: Session) -> int:
    """Give how many sign-ins and memberships have ended in this installation."""
    return session.scalars(select(Installation.revocations)).one()
