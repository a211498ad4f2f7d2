"""How far people have read: their mark in each conversation, what lies after it, and who is told."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session

from chatapp.conversations.names import ConversationName
from chatapp.conversations.people import Person
from chatapp.conversations.policy import Actor, permit_reading
from chatapp.conversations.queries import find_place, permit_signed_in
from chatapp.errors import Invalid, NotFound
from chatapp.models import Conversation, Membership, Mention, Message, User
from chatapp.timeline.signals import read_state_changed
from chatapp.timeline.writer import Change, Transaction, write

COUNTED = 1_000
"""Messages after the mark that are looked at to count the unread ones: more than anybody reads a number of."""

RECEIPT_MEMBERS = 20
"""Members of a room up to which its people see who has read how far."""


@dataclass(frozen=True, slots=True)
class ReadState:
    """A person's mark in a conversation, and how many messages of others, and mentions, lie after it."""

    conversation: str
    user_id: int
    last_read_seq: int
    unread: int
    mentions: int


@dataclass(frozen=True, slots=True)
class Reader:
    """How far somebody has read, as the others are told."""

    person: Person
    seq: int


@dataclass(frozen=True, slots=True)
class ReadStateChange:
    """A mark that was moved; `reader` is None where the others are not to be told."""

    state: ReadState
    reader: Reader | None


def mark_read(name: ConversationName, actor: Actor, seq: int) -> ReadState:
    """Move the person's mark up to the message numbered `seq`; never back. Gives where it is then.

    Raises what `permit_reading` raises, `SignedOut`, and `Invalid` for a number that the conversation has not reached.
    """
    return write(_mark(name, actor, seq, is_forward_only=True))


def mark_unread(name: ConversationName, actor: Actor, seq: int) -> ReadState:
    """Set the person's mark before the message numbered `seq`, so that it and what follows is unread again.

    Raises what `mark_read` raises.
    """
    return write(_mark(name, actor, seq - 1, is_forward_only=False))


def _mark(name: ConversationName, actor: Actor, seq: int, *, is_forward_only: bool) -> Change[ReadState]:
    def change(transaction: Transaction) -> ReadState:
        session = transaction.session
        permit_signed_in(session, actor)
        conversation, membership = find_place(session, name, actor.user_id)
        here = permit_reading(conversation, membership)
        if membership is None:
            raise NotFound("You are not in this conversation.")
        if not 0 <= seq <= here.last_event:
            raise Invalid("seq must be the number of a message in this conversation.")
        before = membership.last_read_seq
        membership.last_read_seq = max(before, seq) if is_forward_only else seq
        session.flush()
        state = get_read_state(session, here, actor.user_id)
        if state.last_read_seq != before:
            transaction.announce(read_state_changed, ReadStateChange(state, _find_reader(session, here, actor.user_id)))
        return state

    return change


def get_read_state(session: Session, conversation: Conversation, user_id: int) -> ReadState:
    """Give a member's mark in one conversation."""
    (state,) = _fetch(session, _select_states(user_id).where(Conversation.id == conversation.id))
    return state


def list_read_states(session: Session, user_id: int) -> dict[str, ReadState]:
    """Give a person's marks in all their conversations, by the conversation's wire name."""
    return {state.conversation: state for state in _fetch(session, _select_states(user_id))}


def list_readers(session: Session, conversation: Conversation) -> Sequence[Reader]:
    """List how far people have read who let it be known.

    Nobody in the general chat, and in rooms of more than `RECEIPT_MEMBERS`.
    """
    if not has_receipts(session, conversation):
        return []
    return [Reader(Person.of(user), seq) for user, seq in session.execute(_select_readers(conversation.id))]


def has_receipts(session: Session, conversation: Conversation) -> bool:
    """Tell whether people see here who has read how far."""
    if conversation.kind == "direct":
        return True
    some = select(Membership.user_id).where(Membership.conversation_id == conversation.id).limit(RECEIPT_MEMBERS + 1)
    count = session.scalars(select(func.count()).select_from(some.subquery())).one()
    return conversation.kind == "room" and count <= RECEIPT_MEMBERS


def _find_reader(session: Session, conversation: Conversation, user_id: int) -> Reader | None:
    if not has_receipts(session, conversation):
        return None
    row = session.execute(_select_readers(conversation.id).where(User.id == user_id)).one_or_none()
    return row and Reader(Person.of(row[0]), row[1])


def _select_readers(conversation_id: int) -> Select[User, int]:
    return (
        select(User, Membership.last_read_seq)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.conversation_id == conversation_id, User.sends_receipts)
        .order_by(User.id)
    )


def _select_states(user_id: int) -> Select[Any]:
    """Select the person's conversations with their mark and the counts; each count is a range of an index."""
    after = (
        select(Message.sender_id)
        .where(Message.conversation_id == Membership.conversation_id, Message.seq > Membership.last_read_seq)
        .correlate(Membership)
        .order_by(Message.seq)
        .limit(COUNTED)
        .subquery()
    )
    unread = (
        select(func.count())
        .select_from(after)
        .where(or_(after.c.sender_id.is_(None), after.c.sender_id != user_id))
        .scalar_subquery()
    )
    mentions = (
        select(func.count())
        .select_from(Mention)
        .where(
            Mention.user_id == user_id,
            Mention.conversation_id == Membership.conversation_id,
            Mention.seq > Membership.last_read_seq,
        )
        .correlate(Membership)
        .scalar_subquery()
    )
    return (
        select(Conversation, Membership, unread, mentions)
        .join(Membership, Membership.conversation_id == Conversation.id)
        .where(Membership.user_id == user_id)
    )


def _fetch(session: Session, query: Select[Any]) -> list[ReadState]:
    return [
        ReadState(conversation.wire_name, membership.user_id, membership.last_read_seq, unread, mentions)
        for conversation, membership, unread, mentions in session.execute(query)
    ]
