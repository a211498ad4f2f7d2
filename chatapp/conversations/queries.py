"""How conversations are found."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Select, and_, func, or_, select
from sqlalchemy.orm import Session

from chatapp.conversations.names import ConversationName
from chatapp.conversations.policy import Actor
from chatapp.errors import SignedOut
from chatapp.models import Conversation, Installation, Membership, User, UserSession

USERNAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,30}[a-z0-9])?", re.ASCII)


@dataclass(frozen=True, slots=True)
class RoomSummary:
    """A room as lists show it."""

    id: int
    name: str
    topic: str
    is_private: bool
    is_archived: bool
    member_count: int


class Place(NamedTuple):
    """A conversation and what one person has to do with it; both None where there is nothing."""

    conversation: Conversation | None
    membership: Membership | None


def find_place(session: Session, name: ConversationName, user_id: int) -> Place:
    """Find the conversation of that name with the person's membership. It permits nothing: see `policy`."""
    row = session.execute(
        select(Conversation, Membership)
        .outerjoin(Membership, and_(Membership.conversation_id == Conversation.id, Membership.user_id == user_id))
        .where(Conversation.id == name.id, Conversation.kind == name.kind)
    ).one_or_none()
    return Place(None, None) if row is None else Place(row[0], row[1])


def permit_signed_in(session: Session, actor: Actor) -> None:
    """Let pass whoever's account is active and whose sign-in, if they act through one, still holds.

    Raises `SignedOut`.
    """
    query = select(User.id).where(User.id == actor.user_id, User.is_active)
    if actor.session_id is not None:
        query = query.join(UserSession, UserSession.user_id == User.id).where(UserSession.id == actor.session_id)
    if session.execute(query).one_or_none() is None:
        raise SignedOut("You are signed out. Sign in again.")


def list_conversations(session: Session, user_id: int) -> Sequence[Conversation]:
    """List what stands in a person's sidebar: the general chat, then their rooms that are not archived, by name."""
    return session.scalars(
        select(Conversation)
        .outerjoin(Membership, and_(Membership.conversation_id == Conversation.id, Membership.user_id == user_id))
        .where(
            or_(
                Conversation.kind == "general",
                and_(Membership.user_id.is_not(None), Conversation.ended_at.is_(None)),
            )
        )
        .order_by(Conversation.kind != "general", func.lower(Conversation.name), Conversation.id)
    ).all()


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


def find_person(session: Session, username: str) -> User | None:
    """Find the active account of that name, in whatever case it is written."""
    lowered = username.lower()
    if not USERNAME.fullmatch(lowered):
        return None
    return session.scalars(select(User).where(User.username == lowered, User.is_active)).one_or_none()


def get_epoch(session: Session) -> str:
    """Give the installation's epoch."""
    return session.scalars(select(Installation.epoch)).one()
