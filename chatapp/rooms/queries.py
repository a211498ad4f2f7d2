"""Queries for rooms and their members."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from chatapp.conversations.queries import RoomSummary, list_summaries, select_rooms
from chatapp.models import Conversation, Membership, User

MAX_LISTED_ROOMS = 100
"""Maximum number of rooms in each list of the page, unless all are requested."""


class RoomList(NamedTuple):
    """The first rooms of a list, by name."""

    rooms: Sequence[RoomSummary]
    has_more: bool


class RoomLists(NamedTuple):
    """The rooms of the page."""

    joined: RoomList
    joinable: RoomList
    archived: RoomList


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a room."""

    user: User
    role: str


def list_rooms(session: Session, user_id: int, *, limit: int | None = MAX_LISTED_ROOMS) -> RoomLists:
    """Return a user's rooms, the open rooms they can join, and their archived rooms: at most `limit` of each."""
    is_member = (
        select(Membership.user_id)
        .where(Membership.conversation_id == Conversation.id, Membership.user_id == user_id)
        .exists()
    )
    is_active = Conversation.ended_at.is_(None)
    return RoomLists(
        *(
            _list_first(session, limit, *conditions)
            for conditions in (
                (is_member, is_active),
                (~is_member, is_active, Conversation.visibility == "open"),
                (is_member, ~is_active),
            )
        )
    )


def _list_first(session: Session, limit: int | None, *conditions: ColumnElement[bool]) -> RoomList:
    query = select_rooms().where(*conditions)
    rooms = list_summaries(session, query if limit is None else query.limit(limit + 1))
    return RoomList(rooms[:limit], has_more=limit is not None and len(rooms) > limit)


def list_members(session: Session, room: Conversation) -> Sequence[Member]:
    """List the members of a room: managers first, then by name."""
    rows = session.execute(
        select(User, Membership.role)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.conversation_id == room.id)
        .order_by(Membership.role != "manager", func.lower(User.name), User.id)
    )
    return [Member(user, role) for user, role in rows]
