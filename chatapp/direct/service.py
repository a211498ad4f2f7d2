"""What is written about direct conversations."""

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

PEOPLE = 10
"""People in one direct conversation at the most. More of them want a room."""


def check_size(user_ids: Collection[int]) -> None:
    """Raise `Invalid` when these are too many for a direct conversation."""
    if len(user_ids) > PEOPLE:
        raise Invalid(f"A direct conversation has at most {PEOPLE} people. Make a room for more.")


def open_direct(actor: Actor, user_ids: Collection[int]) -> int:
    """Give the id of `actor`'s conversation with these people; the first one who asks for it makes it.

    Raises `Invalid` when they are too many, `NotFound` when one of them has no account.
    """
    everybody = {actor.user_id, *user_ids}
    check_size(everybody)
    key = direct_key(everybody)

    def change(transaction: Transaction) -> int:
        session = transaction.session
        found = find_direct(session, key)
        if found is not None:
            return found.id
        # Locked, as `block` locks them: neither misses what the other one is doing.
        known = session.scalars(_lock_people(everybody)).all()
        if len(known) != len(everybody):
            raise NotFound("There is no such person.")
        try:
            with session.begin_nested():
                made = _make(session, key, actor, everybody)
        except IntegrityError:
            # Another process was first.
            return session.scalars(select(Conversation.id).where(Conversation.direct_key == key)).one()
        transaction.send_on_commit(sidebar_changed, sorted(everybody))
        return made

    return write(change)


def block(actor: Actor, user_id: int) -> None:
    """Take no direct messages from a person any more. Raises `Invalid` for oneself, `NotFound`."""

    def change(transaction: Transaction) -> None:
        session = transaction.session
        _other(session, actor, user_id)
        if session.get(Block, (actor.user_id, user_id)) is None:
            session.add(Block(blocker_id=actor.user_id, blocked_id=user_id))
        _mark_blocked(session, actor, user_id, is_blocked=True)

    write(change)


def unblock(actor: Actor, user_id: int) -> None:
    """Undo `block`. Raises `Invalid` for oneself, `NotFound`."""

    def change(transaction: Transaction) -> None:
        session = transaction.session
        _other(session, actor, user_id)
        session.execute(delete(Block).where(Block.blocker_id == actor.user_id, Block.blocked_id == user_id))
        _mark_blocked(session, actor, user_id, is_blocked=False)

    write(change)


def _make(session: Session, key: str, actor: Actor, everybody: Collection[int]) -> int:
    conversation = Direct.new(direct_key=key, creator_id=actor.user_id)
    session.add(conversation)
    session.flush()
    blocked = _find_blocked(session, everybody) if len(everybody) == 2 else set()
    session.add_all(
        Membership(conversation_id=conversation.id, user_id=user_id, is_blocked=user_id in blocked)
        for user_id in sorted(everybody)
    )
    session.flush()
    return conversation.id


def _find_blocked(session: Session, pair: Collection[int]) -> set[int]:
    return set(session.scalars(select(Block.blocked_id).where(Block.blocker_id.in_(pair), Block.blocked_id.in_(pair))))


def _other(session: Session, actor: Actor, user_id: int) -> None:
    if user_id == actor.user_id:
        raise Invalid("One does not block oneself.")
    if user_id not in session.scalars(_lock_people({actor.user_id, user_id})).all():
        raise NotFound("There is no such person.")


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
