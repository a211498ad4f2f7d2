"""Queries for rooms and their members."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from chatapp.conversations.queries import RoomSummary, list_summaries, select_rooms
from chatapp.models import Conversation, Membership, User


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a room."""

    user: User
    role: str


def list_rooms(session: Session, user_id: int) -> tuple[list[RoomSummary], list[RoomSummary], list[RoomSummary]]:
    """Return a user's rooms, the open rooms they can join, and their archived rooms."""
    is_member = (
        select(Membership.user_id)
        .where(Membership.conversation_id == Conversation.id, Membership.user_id == user_id)
        .exists()
    )
    joined = list_summaries(session, select_rooms().where(is_member))
    joinable = list_summaries(
        session, select_rooms().where(~is_member, Conversation.visibility == "open", Conversation.ended_at.is_(None))
    )
    return [room for room in joined if not room.is_archived], joinable, [room for room in joined if room.is_archived]


def list_members(session: Session, room: Conversation) -> Sequence[Member]:
    """List the members of a room: managers first, then by name."""
    rows = session.execute(
        select(User, Membership.role)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.conversation_id == room.id)
        .order_by(Membership.role != "manager", func.lower(User.name), User.id)
    )
    return [Member(user, role) for user, role in rows]
