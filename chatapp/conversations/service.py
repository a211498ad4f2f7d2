"""Creation of rooms and direct conversations: pages and the API use the same functions."""

from collections.abc import Callable, Collection
from typing import NamedTuple

from sqlalchemy import Select, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from chatapp.actors import Actor, require_active_login
from chatapp.audit_log import AuditKind, record
from chatapp.conversations.kinds import Direct, Room
from chatapp.conversations.people import check_size
from chatapp.conversations.policy import direct_messages_refused
from chatapp.conversations.queries import direct_key, find_direct
from chatapp.conversations.signals import sidebar_changed
from chatapp.errors import Invalid, NotFound
from chatapp.extensions import db
from chatapp.limits.rates import CONVERSATIONS, count_use
from chatapp.models import Block, Conversation, Membership, User
from chatapp.storage import Transaction, write
from chatapp.text import clean_line

MAX_ROOM_NAME_CHARS = 80
MAX_TOPIC_CHARS = 250
VISIBILITIES = ("open", "private")


def create_room(
    actor: Actor,
    name: str,
    topic: str,
    visibility: str,
    *,
    add_members: Callable[[Transaction, Conversation], object] | None = None,
) -> int:
    """Create a room with `actor` as its manager and return its id. Raises `SignedOut`, `Invalid`, `RateLimited`.

    `add_members` adds further ones in the same transaction. What it raises undoes the creation.
    """
    room = Room.new(
        name=check_room_name(name),
        topic=check_topic(topic),
        visibility=check_visibility(visibility),
        creator_id=actor.user_id,
    )
    count_use(CONVERSATIONS, actor.user_id)

    def change(transaction: Transaction) -> int:
        require_active_login(transaction.session, actor)
        transaction.session.add(room)
        transaction.session.flush()
        transaction.session.add(Membership(conversation_id=room.id, user_id=actor.user_id, role="manager"))
        record(transaction, AuditKind.ROOM_CREATED, actor, conversation=room.wire_name)
        transaction.send_on_commit(sidebar_changed, [actor.user_id])
        if add_members is not None:
            transaction.session.flush()
            add_members(transaction, room)
        return room.id

    return write(change)


class OpenedDirect(NamedTuple):
    """A direct conversation, and whether it was created just now."""

    id: int
    is_new: bool


def open_direct(actor: Actor, user_ids: Collection[int]) -> OpenedDirect:
    """Return the conversation between `actor` and these people, which is created if it does not exist.

    Raises `SignedOut`, `RateLimited`, `Invalid` if they are too many, `NotFound` if one of them has no account,
    `Forbidden` if it would be a new group and one of them has blocked `actor`.
    """
    people_ids = {actor.user_id, *user_ids}
    check_size(people_ids)
    key = direct_key(people_ids)
    existing = find_direct(db.session(), key)
    if existing is not None:
        return OpenedDirect(existing.id, is_new=False)
    count_use(CONVERSATIONS, actor.user_id)

    def change(transaction: Transaction) -> OpenedDirect:
        session = transaction.session
        require_active_login(session, actor)
        found = find_direct(session, key)
        if found is not None:
            return OpenedDirect(found.id, is_new=False)
        # A block takes the same locks, so that it is seen here or this conversation is seen there.
        known = session.scalars(lock_people(people_ids)).all()
        if len(known) != len(people_ids):
            raise NotFound("There is no such user.")
        try:
            with session.begin_nested():
                conversation_id = _create_direct(session, key, actor, people_ids)
        except IntegrityError:
            # Another process has created it in the meantime.
            created = session.scalars(select(Conversation.id).where(Conversation.direct_key == key)).one()
            return OpenedDirect(created, is_new=False)
        transaction.send_on_commit(sidebar_changed, sorted(people_ids))
        return OpenedDirect(conversation_id, is_new=True)

    return write(change)


def check_room_name(name: str) -> str:
    """Return the name of a room with white space collapsed. Raises `Invalid`."""
    return clean_line(name, "The name of a room", max_chars=MAX_ROOM_NAME_CHARS)


def check_topic(topic: str) -> str:
    """Return the topic of a room, which may be empty, with white space collapsed. Raises `Invalid`."""
    return clean_line(topic, "The topic of a room", min_chars=0, max_chars=MAX_TOPIC_CHARS)


def check_visibility(value: str) -> str:
    """Return the visibility of a room. Raises `Invalid`."""
    if value not in VISIBILITIES:
        raise Invalid("A room is “open” or “private”.")
    return value


def lock_people(user_ids: Collection[int]) -> Select[int]:
    """Select the ids of these users and lock their rows, in one order."""
    return select(User.id).where(User.id.in_(user_ids)).order_by(User.id).with_for_update(key_share=True)


def _create_direct(session: Session, key: str, actor: Actor, people_ids: Collection[int]) -> int:
    is_group = len(people_ids) > 2
    blocked = _find_blocked(session, people_ids)
    if is_group and actor.user_id in blocked:
        raise direct_messages_refused()
    conversation = Direct.new(direct_key=key, creator_id=actor.user_id)
    session.add(conversation)
    session.flush()
    session.add_all(
        Membership(conversation_id=conversation.id, user_id=user_id, is_blocked=not is_group and user_id in blocked)
        for user_id in sorted(people_ids)
    )
    session.flush()
    return conversation.id


def _find_blocked(session: Session, people_ids: Collection[int]) -> set[int]:
    """Return the people who are blocked by another one of them."""
    is_between_them = Block.blocker_id.in_(people_ids), Block.blocked_id.in_(people_ids)
    return set(session.scalars(select(Block.blocked_id).where(*is_between_them)))
