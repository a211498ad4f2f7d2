"""What is written about rooms. Each function permits within the transaction that it writes in."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from chatapp.actors import Actor
from chatapp.conversations.kinds import Room, is_manager
from chatapp.conversations.names import room_name
from chatapp.conversations.people import find_active_user
from chatapp.conversations.policy import (
    authorize_management,
    authorize_posting,
    authorize_reading,
    authorize_viewing,
)
from chatapp.conversations.queries import find_access, list_member_ids
from chatapp.conversations.signals import MembershipRevoked, membership_revoked, sidebar_changed
from chatapp.errors import Archived, Conflict, Forbidden, Invalid, NotFound
from chatapp.models import Conversation, Membership, now
from chatapp.revocations import revoke
from chatapp.storage import Transaction, write
from chatapp.text import clean_line

NAME_LENGTH = 80
TOPIC_LENGTH = 250
VISIBILITIES = ("open", "private")


def create_room(actor: Actor, name: str, topic: str, visibility: str) -> int:
    """Make a room with `actor` as its manager. Gives its id. Raises `Invalid`."""
    room = Room.new(
        name=clean_line(name, "The name of a room", max_chars=NAME_LENGTH),
        topic=clean_line(topic, "The topic of a room", min_chars=0, max_chars=TOPIC_LENGTH),
        visibility=_check_visibility(visibility),
        creator_id=actor.user_id,
    )

    def change(transaction: Transaction) -> int:
        transaction.session.add(room)
        transaction.session.flush()
        transaction.session.add(Membership(conversation_id=room.id, user_id=actor.user_id, role="manager"))
        transaction.send_on_commit(sidebar_changed, [actor.user_id])
        return room.id

    return write(change)


def update_room(actor: Actor, room_id: int, name: str, topic: str, visibility: str) -> None:
    """Rename a room, set its topic, open or close it. Raises `Invalid`, `NotFound`, `Forbidden`, `Archived`."""
    checked_name = clean_line(name, "The name of a room", max_chars=NAME_LENGTH)
    checked_topic = clean_line(topic, "The topic of a room", min_chars=0, max_chars=TOPIC_LENGTH)
    checked_visibility = _check_visibility(visibility)

    def change(transaction: Transaction) -> None:
        room = authorize_management(*_place(transaction.session, actor, room_id))
        if room.is_archived:
            raise Archived("This room is archived. Restore it to change it.")
        room.name, room.topic, room.visibility = checked_name, checked_topic, checked_visibility
        _tell_members(transaction, room)

    write(change)


def join_room(actor: Actor, room_id: int) -> None:
    """Make `actor` a member of an open room; one who is already stays it. Raises `NotFound`, `Archived`."""

    def change(transaction: Transaction) -> None:
        room, membership = _place(transaction.session, actor, room_id)
        room = authorize_viewing(room, membership)
        if room.is_archived:
            raise Archived("This room is archived: nobody can join it any more.")
        if membership is None:
            # Whoever comes into a room that all have left takes it over.
            is_empty = not list_member_ids(transaction.session, room_id)
            _add_member(transaction, room, actor.user_id, role="manager" if is_empty else "member")

    write(change)


def leave_room(actor: Actor, room_id: int) -> None:
    """End `actor`'s membership. The last manager's place goes to whoever has been there longest. Raises `NotFound`."""

    def change(transaction: Transaction) -> None:
        room, membership = _place(transaction.session, actor, room_id)
        authorize_reading(room, membership)
        if room is not None and membership is not None:
            _end_membership(transaction, room, membership)

    write(change)


def invite(actor: Actor, room_id: int, username: str) -> str:
    """Make the person of that name a member. Gives their display name.

    Any member may invite. Raises `NotFound`, `Forbidden`, `Archived`, `Invalid` (no such person), `Conflict` (is there
    already).
    """

    def change(transaction: Transaction) -> str:
        room = authorize_posting(*_place(transaction.session, actor, room_id))
        person = find_active_user(transaction.session, username.strip().removeprefix("@"))
        if person is None:
            raise Invalid(f"Nobody here is called “{username}”. Enter a username as it stands under People.")
        if transaction.session.get(Membership, (room_id, person.id)) is not None:
            raise Conflict(f"{person.name} is in this room already.")
        _add_member(transaction, room, person.id)
        return person.name

    return write(change)


def remove(actor: Actor, room_id: int, user_id: int) -> None:
    """End somebody else's membership. Raises `NotFound`, `Forbidden`."""

    def change(transaction: Transaction) -> None:
        room = authorize_management(*_place(transaction.session, actor, room_id))
        membership = transaction.session.get(Membership, (room_id, user_id))
        if membership is None:
            raise NotFound("That person is not in this room.")
        if user_id == actor.user_id:
            raise Forbidden("One does not remove oneself: leave the room instead.")
        _end_membership(transaction, room, membership)

    write(change)


def archive(actor: Actor, room_id: int) -> None:
    """Make a room read only. Raises `NotFound`, `Forbidden`, `Archived`."""

    def change(transaction: Transaction) -> None:
        room = authorize_management(*_place(transaction.session, actor, room_id))
        if room.is_archived:
            raise Archived("This room is archived already.")
        room.ended_at = now()
        _tell_members(transaction, room)

    write(change)


def restore(actor: Actor, room_id: int) -> None:
    """Undo `archive`. Raises `NotFound`, `Forbidden`, `Conflict`."""

    def change(transaction: Transaction) -> None:
        room = authorize_management(*_place(transaction.session, actor, room_id))
        if not room.is_archived:
            raise Conflict("This room is not archived.")
        room.ended_at = None
        _tell_members(transaction, room)

    write(change)


def _place(session: Session, actor: Actor, room_id: int) -> tuple[Conversation | None, Membership | None]:
    return find_access(session, room_name(room_id), actor.user_id)


def _add_member(transaction: Transaction, room: Conversation, user_id: int, role: str = "member") -> None:
    # What was said before is not unread.
    transaction.session.add(
        Membership(conversation_id=room.id, user_id=user_id, role=role, last_read_seq=room.last_event)
    )
    transaction.send_on_commit(sidebar_changed, [user_id])


def _end_membership(transaction: Transaction, room: Conversation, membership: Membership) -> None:
    session = transaction.session
    session.delete(membership)
    session.flush()
    if is_manager(membership):
        _keep_a_manager(session, room)
    revoke(transaction, membership_revoked, MembershipRevoked(room.wire_name, membership.user_id))
    transaction.send_on_commit(sidebar_changed, [membership.user_id])


def _keep_a_manager(session: Session, room: Conversation) -> None:
    first = session.scalars(
        select(Membership)
        .where(Membership.conversation_id == room.id)
        .order_by(Membership.role != "manager", Membership.created_at, Membership.user_id)
        .limit(1)
    ).one_or_none()
    if first is not None:
        first.role = "manager"


def _tell_members(transaction: Transaction, room: Conversation) -> None:
    transaction.send_on_commit(sidebar_changed, list_member_ids(transaction.session, room.id))


def _check_visibility(value: str) -> str:
    if value not in VISIBILITIES:
        raise Invalid("A room is “open” or “private”.")
    return value
