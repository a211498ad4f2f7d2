"""Pinned messages. Pinning a message, and unpinning it, is an event: the message gets a new version."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, delete, func, select
from sqlalchemy.orm import Session

from chatapp.conversations.people import Person
from chatapp.conversations.refs import ConversationRef
from chatapp.errors import Conflict
from chatapp.models import Conversation, Message, Pin, User
from chatapp.storage import ReadStatement
from chatapp.timeline.messages import TimelineMessage, fetch_messages_by_id

_SELECT_SEQS = ReadStatement(
    select(Message.seq)
    .join(Pin, Pin.message_id == Message.id)
    .where(Pin.conversation_id == bindparam("conversation_id"))
    .order_by(Message.seq)
)

_COUNT = ReadStatement(select(func.count()).where(Pin.conversation_id == bindparam("conversation_id")))

_DELETE = delete(Pin).where(Pin.message_id == bindparam("message_id"))


@dataclass(frozen=True, slots=True)
class PinnedMessage:
    """A pinned message, and who pinned it."""

    message: TimelineMessage
    pinned_by: Person | None
    """None if the account was deleted."""
    pinned_at: datetime


def list_pinned_seqs(session: Session, conversation_id: int) -> Sequence[int]:
    """Return the numbers of a conversation's pinned messages, in order."""
    return [seq for (seq,) in _SELECT_SEQS.fetch(session, conversation_id=conversation_id)]


def list_pinned(session: Session, conversation: Conversation) -> Sequence[PinnedMessage]:
    """Return the pinned messages of a conversation, last pinned first."""
    rows = session.execute(
        select(Pin, User)
        .outerjoin(User, User.id == Pin.user_id)
        .where(Pin.conversation_id == conversation.id)
        .order_by(Pin.pinned_at.desc(), Pin.message_id.desc())
    ).all()
    ids = [pin.message_id for pin, _ in rows]
    messages = fetch_messages_by_id(session, ids, ConversationRef.of(conversation)) if ids else ()
    by_id = {message.id: message for message in messages}
    return [
        PinnedMessage(by_id[pin.message_id], Person.of(user) if user else None, pin.pinned_at) for pin, user in rows
    ]


def store_pin(session: Session, message: Message, user_id: int, *, limit: int) -> bool:
    """Pin a message of a locked conversation, and return whether it was not pinned before.

    Raises `Conflict` if `limit` messages of the conversation are pinned.
    """
    if session.get(Pin, message.id) is not None:
        return False
    if count_pins(session, message.conversation_id) >= limit:
        raise Conflict(f"A conversation has at most {limit} pinned messages. Unpin another first.")
    session.add(Pin(message_id=message.id, conversation_id=message.conversation_id, user_id=user_id))
    return True


def count_pins(session: Session, conversation_id: int) -> int:
    """Return the number of a conversation's pinned messages."""
    ((count,),) = _COUNT.fetch(session, conversation_id=conversation_id)
    return int(count)


def delete_pin(session: Session, message_id: int) -> bool:
    """Unpin a message, and return whether it was pinned."""
    return bool(session.connection().execute(_DELETE, {"message_id": message_id}).rowcount)
