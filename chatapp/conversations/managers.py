"""Rooms always have an active manager, as long as they have an active member."""

from sqlalchemy import select

from chatapp.actors import Actor
from chatapp.audit_log import AuditKind, format_person, record
from chatapp.conversations.kinds import Room, is_manager
from chatapp.models import Conversation, Membership, User
from chatapp.storage import Transaction


def ensure_manager(transaction: Transaction, actor: Actor | None, room: Conversation) -> None:
    """Make the oldest active member of a room its manager, unless it has an active manager."""
    session = transaction.session
    next_manager = session.scalars(
        select(Membership)
        .join(User, User.id == Membership.user_id)
        .where(Membership.conversation_id == room.id, User.is_active)
        .order_by(Membership.role != "manager", Membership.created_at, Membership.user_id)
        .limit(1)
    ).one_or_none()
    if next_manager is not None and not is_manager(next_manager):
        next_manager.role = "manager"
        target = f"{format_person(session, next_manager.user_id)} is a manager"
        record(transaction, AuditKind.MEMBER_ROLE_CHANGED, actor, target=target, conversation=room.wire_name)


def replace_manager(transaction: Transaction, actor: Actor | None, user_id: int) -> None:
    """Ensure that the rooms which a user manages have another manager: the user is banned."""
    managed = transaction.session.scalars(
        select(Conversation)
        .join(Membership, Membership.conversation_id == Conversation.id)
        .where(Room.condition(), Membership.user_id == user_id, Membership.role == "manager")
    ).all()
    for room in managed:
        ensure_manager(transaction, actor, room)
