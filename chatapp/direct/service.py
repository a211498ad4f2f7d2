"""Blocking of direct messages."""

from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from chatapp.actors import Actor
from chatapp.conversations.queries import direct_key, find_direct
from chatapp.conversations.service import lock_people
from chatapp.errors import Invalid, NotFound
from chatapp.models import Block, Membership
from chatapp.storage import Transaction, write


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


def _lock_pair(session: Session, actor: Actor, user_id: int) -> None:
    if user_id == actor.user_id:
        raise Invalid("You cannot block yourself.")
    if user_id not in session.scalars(lock_people({actor.user_id, user_id})).all():
        raise NotFound("There is no such user.")


def _mark_blocked(session: Session, actor: Actor, user_id: int, *, is_blocked: bool) -> None:
    found = find_direct(session, direct_key({actor.user_id, user_id}))
    if found is not None:
        session.execute(
            update(Membership)
            .where(Membership.conversation_id == found.id, Membership.user_id == user_id)
            .values(is_blocked=is_blocked)
        )
