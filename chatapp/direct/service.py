"""Changes to direct conversations, and blocking."""

from collections.abc import Collection

from sqlalchemy import Select, delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from chatapp.actors import Actor
from chatapp.conversations.kinds import Direct
from chatapp.conversations.queries import direct_key, find_direct
from chatapp.conversations.signals import sidebar_changed
from chatapp.errors import Invalid, NotFound
from chatapp.models import Block, Conversation, Membership, User
from chatapp.storage import Transaction, write

MAX_PEOPLE = 10
"""Maximum number of people in a direct conversation, including the user who starts it."""


def check_size(user_ids: Collection[int]) -> None:
    """Raise `Invalid` if a direct conversation cannot have this many people."""
    if len(user_ids) > MAX_PEOPLE:
        raise Invalid(f"A direct conversation has at most {MAX_PEOPLE} people. Create a room for more.")


def open_direct(actor: Actor, user_ids: Collection[int]) -> int:
    """Return the id of the conversation between `actor` and these people, which is created if it does not exist.

    Raises `Invalid` if they are too many, `NotFound` if one of them has no account.
    """
    people_ids = {actor.user_id, *user_ids}
    check_size(people_ids)
    key = direct_key(people_ids)

    def change(transaction: Transaction) -> int:
        session = transaction.session
        found = find_direct(session, key)
        if found is not None:
            return found.id
        # `block` takes the same locks, so that a block is seen here or this conversation is seen there.
        known = session.scalars(_lock_people(people_ids)).all()
        if len(known) != len(people_ids):
            raise NotFound("There is no such user.")
        try:
            with session.begin_nested():
                conversation_id = _create(session, key, actor, people_ids)
        except IntegrityError:
            # Another process has created it in the meantime.
            return session.scalars(select(Conversation.id).where(Conversation.direct_key == key)).one()
        transaction.send_on_commit(sidebar_changed, sorted(people_ids))
        return conversation_id

    return write(change)


def block(actor: Actor, user_id: int) -> None:
    """Block direct messages from a user. Raises `Invalid` for the actor themselves, `NotFound`."""

    def change(transaction: Transaction) -> None:
        session = transaction.session
        _lock_pair(session, actor, user_id)
        if session.get(Block, (actor.user_id, user_id)) is None:
            session.add(Block(blocker_id=actor.user_id, blocked_id=user_id))
        _mark_blocked(session, actor, user_id, is_blocked=True)

    write(change)


def unblock(actor: Actor, user_id: int) -> None:
    """Undo `block`. Raises `Invalid` for the actor themselves, `NotFound`."""

    def change(transaction: Transaction) -> None:
        session = transaction.session
        _lock_pair(session, actor, user_id)
        session.execute(delete(Block).where(Block.blocker_id == actor.user_id, Block.blocked_id == user_id))
        _mark_blocked(session, actor, user_id, is_blocked=False)

    write(change)


def _create(session: Session, key: str, actor: Actor, people_ids: Collection[int]) -> int:
    conversation = Direct.new(direct_key=key, creator_id=actor.user_id)
    session.add(conversation)
    session.flush()
    blocked = _find_blocked(session, people_ids) if len(people_ids) == 2 else set()
    session.add_all(
        Membership(conversation_id=conversation.id, user_id=user_id, is_blocked=user_id in blocked)
        for user_id in sorted(people_ids)
    )
    session.flush()
    return conversation.id


def _find_blocked(session: Session, pair: Collection[int]) -> set[int]:
    return set(session.scalars(select(Block.blocked_id).where(Block.blocker_id.in_(pair), Block.blocked_id.in_(pair))))


def _lock_pair(session: Session, actor: Actor, user_id: int) -> None:
    if user_id == actor.user_id:
        raise Invalid("You cannot block yourself.")
    if user_id not in session.scalars(_lock_people({actor.user_id, user_id})).all():
        raise NotFound("There is no such user.")


def _mark_blocked(session: Session, actor: Actor, user_id: int, *, is_blocked: bool) -> None:
    found = find_direct(session, direct_key({actor.user_id, user_id}))
    if found is not None:
        session.execute(
            update(Membership)
            .where(Membership.conversation_id == found.id, Membership.user_id == user_id)
            .values(is_blocked=is_blocked)
        )


def _lock_people(user_ids: Collection[int]) -> Select[int]:
    return select(User.id).where(User.id.in_(user_ids)).order_by(User.id).with_for_update()
