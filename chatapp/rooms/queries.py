"""How rooms and their members are found."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from chatapp.conversations.queries import RoomSummary, list_summaries, select_rooms
from chatapp.models import Conversation, Membership, User


@dataclass(frozen=True, slots=True)
class Member:
    """A person in a room."""

    user: User
    role: str


def list_rooms(session: Session, user_id: int) -> tuple[list[RoomSummary], list[RoomSummary], list[RoomSummary]]:
    """List a person's rooms, the open ones that they may join, and those of theirs that are archived."""
    is_mine = (
        select(Membership.user_id)
        .where(Membership.conversation_id == Conversation.id, Membership.user_id == user_id)
        .exists()
    )
    mine = list_summaries(session, select_rooms().where(is_mine))
    joinable = list_summaries(
        session, select_rooms().where(~is_mine, Conversation.visibility == "open", Conversation.ended_at.is_(None))
    )
    return [room for room in mine if not room.is_archived], joinable, [room for room in mine if room.is_archived]


def list_members(session: Session, room: Conversation) -> Sequence[Member]:
    """List a room's members: managers first, then by name."""
    rows = session.execute(
        select(User, Membership.role)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.conversation_id == room.id)
        .order_by(Membership.role != "manager", func.lower(User.name), User.id)
    )
    return [Member(user, role) for user, role in rows]
