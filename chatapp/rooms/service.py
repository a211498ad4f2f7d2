"""Changes to rooms and their members. Each function checks login and permission in its own transaction."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from chatapp.actors import Actor
from chatapp.audit_log import AuditKind, format_person, record
from chatapp.conversations.kinds import is_manager
from chatapp.conversations.managers import ensure_manager
from chatapp.conversations.people import find_active_users
from chatapp.conversations.policy import (
    authorize_management,
    authorize_posting,
    authorize_reading,
    authorize_viewing,
)
from chatapp.conversations.queries import ConversationAccess, count_members, find_access_of, list_member_ids
from chatapp.conversations.refs import ConversationRef, room_ref
from chatapp.conversations.service import check_room_name, check_topic, check_visibility, create_room
from chatapp.conversations.signals import (
    MembersChanged,
    MembershipRevoked,
    members_changed,
    membership_revoked,
    sidebar_changed,
)
from chatapp.credentials import end_access_to_room
from chatapp.errors import Archived, Conflict, Forbidden, Invalid, NotFound
from chatapp.extensions import db
from chatapp.limits.rates import INVITATIONS, count_use
from chatapp.models import Conversation, Membership, User, now
from chatapp.revocations import revoke
from chatapp.storage import Transaction, write


def update_room(actor: Actor, room_id: int, name: str, topic: str, visibility: str) -> None:
    """Set the name, topic and visibility. Raises `Invalid`, `NotFound`, `Forbidden`, `Archived`."""
    checked_name = check_room_name(name)
    checked_topic = check_topic(topic)
    checked_visibility = check_visibility(visibility)

    def change(transaction: Transaction) -> None:
        room = _authorize_change(transaction.session, actor, room_id)
        is_shown_as_before = (room.name, room.topic, room.visibility) == (
            checked_name,
            checked_topic,
            checked_visibility,
        )
        if room.visibility != checked_visibility:
            record(transaction, AuditKind.ROOM_CHANGED, actor, target=checked_visibility, conversation=room.wire_name)
        room.name, room.topic, room.visibility = checked_name, checked_topic, checked_visibility
        if not is_shown_as_before:
            _send_sidebar_changed(transaction, room)

    write(change)


def set_topic(actor: Actor, room_id: int, topic: str) -> None:
    """Set the topic. Raises `Invalid`, `NotFound`, `Forbidden`, `Archived`."""
    checked = check_topic(topic)

    def change(transaction: Transaction) -> None:
        room = _authorize_change(transaction.session, actor, room_id)
        if room.topic != checked:
            room.topic = checked
            _send_sidebar_changed(transaction, room)

    write(change)


def join_room(actor: Actor, room_id: int) -> None:
    """Add `actor` to an open room, unless they are a member already. Raises `NotFound`, `Archived`."""

    def change(transaction: Transaction) -> None:
        room, membership = _find_access(transaction.session, actor, room_id)
        room = authorize_viewing(room, membership)
        if room.is_archived:
            raise Archived("This room is archived. Nobody can join it.")
        if membership is None:
            # A room that everyone has left needs a new manager.
            is_empty = not count_members(transaction.session, room_id)
            role = "manager" if is_empty else "member"
            _add_member(transaction, room, actor.user_id, role)
            record(transaction, AuditKind.MEMBER_ADDED, actor, target=role, conversation=room.wire_name)

    write(change)


def leave_room(actor: Actor, room_id: int) -> None:
    """Remove `actor` from a room. If no manager remains, the oldest member becomes one.

    Raises `NotFound`, `Forbidden`.
    """

    def change(transaction: Transaction) -> None:
        room, membership = _find_access(transaction.session, actor, room_id)
        authorize_reading(room, membership)
        if room is not None and membership is not None:
            _end_membership(transaction, actor, room, membership)

    write(change)


def create_with_members(actor: Actor, name: str, topic: str, visibility: str, usernames: Sequence[str]) -> int:
    """Create a room with these users and return its id. The actor's own username is ignored.

    Raises what `create_room` and `invite` raise.
    """
    check_room_name(name)
    check_topic(topic)
    check_visibility(visibility)

    def find(session: Session) -> Sequence[User]:
        return [user for user in _find_users(session, usernames) if user.id != actor.user_id]

    _count_invitations(actor, find(db.session()))

    def add(transaction: Transaction, room: Conversation) -> None:
        for user in find(transaction.session):
            _invite(transaction, actor, room, user)

    return create_room(actor, name, topic, visibility, add_members=add)


def invite(actor: Actor, room_id: int, usernames: Sequence[str]) -> list[str]:
    """Add the users with these usernames to a room and return their display names. Every member may do this.

    Raises `NotFound`, `Forbidden`, `Archived`, `Invalid` (no such user, or none is named), `Conflict` (already a
    member), `RateLimited`. Then nobody is added.
    """

    def find(session: Session) -> tuple[Conversation, Sequence[User]]:
        room = authorize_posting(*_find_access(session, actor, room_id))
        users = _find_users(session, usernames)
        if not users:
            raise Invalid("Choose at least one person.")
        is_named = Membership.user_id.in_([user.id for user in users])
        members = set(
            session.scalars(select(Membership.user_id).where(Membership.conversation_id == room.id, is_named))
        )
        for user in users:
            if user.id in members:
                raise Conflict(f"{user.name} is already a member of this room.")
        return room, users

    # What is refused does not count.
    _count_invitations(actor, find(db.session())[1])

    def change(transaction: Transaction) -> list[str]:
        room, users = find(transaction.session)
        return [_invite(transaction, actor, room, user) for user in users]

    return write(change)


def _find_users(session: Session, usernames: Sequence[str]) -> Sequence[User]:
    """Find the users with these usernames, each once. Blank ones are ignored. Raises `Invalid` for an unknown one."""
    wanted = dict.fromkeys(filter(None, (username.strip().removeprefix("@") for username in usernames)))
    found = find_active_users(session, wanted)
    for username in wanted:
        if username.lower() not in found:
            raise Invalid(f"There is no user “{username}”. The People page lists all usernames.")
    return [found[username] for username in dict.fromkeys(username.lower() for username in wanted)]


def _count_invitations(actor: Actor, users: Sequence[User]) -> None:
    for _ in users:
        count_use(INVITATIONS, actor.user_id)


def _invite(transaction: Transaction, actor: Actor, room: Conversation, user: User) -> str:
    _add_member(transaction, room, user.id)
    record(transaction, AuditKind.MEMBER_ADDED, actor, target=f"@{user.username}", conversation=room.wire_name)
    return user.name


def remove(actor: Actor, room_id: int, user_id: int) -> None:
    """Remove another member from a room. Raises `NotFound`, `Forbidden`."""

    def change(transaction: Transaction) -> None:
        room = authorize_management(*_find_access(transaction.session, actor, room_id))
        membership = transaction.session.get(Membership, (room_id, user_id))
        if membership is None:
            raise NotFound("This person is not a member of this room.")
        if user_id == actor.user_id:
            raise Forbidden("You cannot remove yourself. Leave the room instead.")
        _end_membership(transaction, actor, room, membership)

    write(change)


def archive(actor: Actor, room_id: int) -> None:
    """Make a room read-only. Raises `NotFound`, `Forbidden`, `Archived`."""

    def change(transaction: Transaction) -> None:
        room = authorize_management(*_find_access(transaction.session, actor, room_id))
        if room.is_archived:
            raise Archived("This room is already archived.")
        room.ended_at = now()
        record(transaction, AuditKind.ROOM_ARCHIVED, actor, conversation=room.wire_name)
        _send_sidebar_changed(transaction, room)

    write(change)


def restore(actor: Actor, room_id: int) -> None:
    """Undo `archive`. Raises `NotFound`, `Forbidden`, `Conflict`."""

    def change(transaction: Transaction) -> None:
        room = authorize_management(*_find_access(transaction.session, actor, room_id))
        if not room.is_archived:
            raise Conflict("This room is not archived.")
        room.ended_at = None
        record(transaction, AuditKind.ROOM_UNARCHIVED, actor, conversation=room.wire_name)
        _send_sidebar_changed(transaction, room)

    write(change)


def _authorize_change(session: Session, actor: Actor, room_id: int) -> Conversation:
    room = authorize_management(*_find_access(session, actor, room_id))
    if room.is_archived:
        raise Archived("This room is archived. Restore it before you change it.")
    return room


def _find_access(session: Session, actor: Actor, room_id: int) -> ConversationAccess:
    return find_access_of(session, room_ref(room_id), actor)


def _add_member(transaction: Transaction, room: Conversation, user_id: int, role: str = "member") -> None:
    # Messages posted before the user joined do not count as unread.
    transaction.session.add(
        Membership(conversation_id=room.id, user_id=user_id, role=role, last_read_seq=room.last_event)
    )
    transaction.session.flush()
    transaction.send_on_commit(sidebar_changed, [user_id])
    _send_members_changed(transaction, room)


def _end_membership(transaction: Transaction, actor: Actor, room: Conversation, membership: Membership) -> None:
    session = transaction.session
    member = format_person(session, membership.user_id)
    record(transaction, AuditKind.MEMBER_REMOVED, actor, target=member, conversation=room.wire_name)
    end_access_to_room(transaction, actor, room, membership.user_id)
    session.delete(membership)
    session.flush()
    if is_manager(membership):
        ensure_manager(transaction, actor, room)
    revoke(transaction, membership_revoked, MembershipRevoked(ConversationRef.of(room), membership.user_id))
    transaction.send_on_commit(sidebar_changed, [membership.user_id])
    _send_members_changed(transaction, room)


def _send_members_changed(transaction: Transaction, room: Conversation) -> None:
    count = count_members(transaction.session, room.id)
    transaction.send_on_commit(members_changed, MembersChanged(ConversationRef.of(room), count))


def _send_sidebar_changed(transaction: Transaction, room: Conversation) -> None:
    transaction.send_on_commit(sidebar_changed, list_member_ids(transaction.session, room.id))
