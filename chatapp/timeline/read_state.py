"""How far people have read: their mark in each conversation, what lies after it, and who is told."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Select, func, or_, select, tuple_
from sqlalchemy.orm import Session

from chatapp.actors import Actor, find_active_actors
from chatapp.conversations.kinds import kind_of
from chatapp.conversations.names import ConversationName
from chatapp.conversations.people import Person
from chatapp.conversations.policy import authorize_reading
from chatapp.conversations.queries import ConversationAccess, find_accesses
from chatapp.errors import ChatError, Invalid, NotFound, SignedOut
from chatapp.models import Conversation, Membership, Mention, Message, User
from chatapp.storage import BatchChange, Transaction, write
from chatapp.timeline.signals import read_receipt_changed, read_state_changed

Key = tuple[int, int]
"""A conversation's id and a person's."""

COUNTED = 1_000
"""Messages after the mark that are looked at to count the unread ones: more than anybody reads a number of."""


@dataclass(frozen=True, slots=True)
class ReadState:
    """A person's mark in a conversation, and how many messages of others, and mentions, lie after it."""

    conversation: ConversationName
    user_id: int
    last_read_seq: int
    unread: int
    mentions: int

    @property
    def key(self) -> Key:
        """Whose mark it is, and where."""
        return self.conversation.id, self.user_id


@dataclass(frozen=True, slots=True)
class ReadReceipt:
    """How far somebody has read, as the others are told."""

    person: Person
    seq: int


@dataclass(frozen=True, slots=True)
class ReadReceiptChanged:
    """Who has read further, and where."""

    conversation: ConversationName
    reader: ReadReceipt


def mark_read(name: ConversationName, actor: Actor, seq: int) -> ReadState:
    """Move the person's mark up to the message numbered `seq`; never back. Gives where it is then.

    Raises what `authorize_reading` raises, `SignedOut`, and `Invalid` for a number that the conversation has not
    reached.
    """
    return write(Marking(name, actor, seq, is_forward_only=True))


def mark_unread(name: ConversationName, actor: Actor, seq: int) -> ReadState:
    """Set the person's mark before the message numbered `seq`, so that it and what follows is unread again.

    Raises what `mark_read` raises.
    """
    return write(Marking(name, actor, seq - 1, is_forward_only=False))


@dataclass(frozen=True, slots=True)
class Marking(BatchChange[ReadState]):
    """A mark that is moved. One new message may have hundreds of them moved at once."""

    conversation: ConversationName
    actor: Actor
    seq: int
    is_forward_only: bool
    runs_last = True

    @classmethod
    def apply_batch(cls, transaction: Transaction, changes: Sequence[Any]) -> Sequence[ReadState | ChatError]:
        """Move the marks, each as far as it may."""
        session = transaction.session
        signed_in = find_active_actors(session, {marking.actor for marking in changes})
        places = find_accesses(session, {marking.key for marking in changes})
        refused: dict[int, ChatError] = {}
        before: dict[Key, int] = {}
        for number, marking in enumerate(changes):
            try:
                membership = marking.permit(signed_in, places)
            except ChatError as error:
                refused[number] = error
                continue
            before.setdefault(marking.key, membership.last_read_seq)
            membership.last_read_seq = (
                max(membership.last_read_seq, marking.seq) if marking.is_forward_only else marking.seq
            )
        session.flush()
        states = _fetch_states(session, before)
        moved = [state for key, state in states.items() if state.last_read_seq != before[key]]
        for state in moved:
            transaction.send_on_commit(read_state_changed, state)
        _tell_readers(transaction, moved, places)
        return [refused.get(number) or states[marking.key] for number, marking in enumerate(changes)]

    @property
    def key(self) -> Key:
        """Whose mark it is, and where."""
        return self.conversation.id, self.actor.user_id

    def permit(self, signed_in: Collection[Actor], places: Mapping[Key, ConversationAccess]) -> Membership:
        """Give the membership that has the mark, if it may be moved there."""
        if self.actor not in signed_in:
            raise SignedOut("You are signed out. Sign in again.")
        conversation, membership = places.get(self.key, ConversationAccess(None, None))
        is_it = conversation is not None and ConversationName.of(conversation) == self.conversation
        here = authorize_reading(conversation if is_it else None, membership)
        if membership is None:
            raise NotFound("You are not in this conversation.")
        if not 0 <= self.seq <= here.last_event:
            raise Invalid("seq must be the number of a message in this conversation.")
        return membership


def get_read_state(session: Session, conversation: Conversation, user_id: int) -> ReadState:
    """Give a member's mark in one conversation."""
    (state,) = _fetch_states(session, [(conversation.id, user_id)]).values()
    return state


def list_read_states(session: Session, user_id: int) -> dict[str, ReadState]:
    """Give a person's marks in all their conversations, by the conversation's wire name."""
    rows = session.execute(SELECT_STATES.where(Membership.user_id == user_id))
    return {state.conversation.wire_name: state for state in map(_state, rows)}


def list_read_receipts(session: Session, conversation: Conversation) -> Sequence[ReadReceipt]:
    """List the read receipts of the members who share them, in conversations that have receipts."""
    if not has_receipts(session, conversation):
        return []
    return [ReadReceipt(Person.of(user), seq) for user, seq in session.execute(_select_read_receipts(conversation.id))]


def has_receipts(session: Session, conversation: Conversation) -> bool:
    """Return whether the members of a conversation see each other's read receipts."""
    limit = kind_of(conversation).receipt_member_limit
    if limit is None:
        return True
    members = select(Membership.user_id).where(Membership.conversation_id == conversation.id).limit(limit + 1)
    count = session.scalars(select(func.count()).select_from(members.subquery())).one()
    return count <= limit


def _select_read_receipts(conversation_id: int) -> Select[User, int]:
    return (
        select(User, Membership.last_read_seq)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.conversation_id == conversation_id, User.sends_receipts)
        .order_by(User.id)
    )


def _tell_readers(
    transaction: Transaction, moved: Iterable[ReadState], places: Mapping[Key, ConversationAccess]
) -> None:
    """Announce how far people have read, where the others see it."""
    by_conversation: dict[Conversation, list[int]] = {}
    for state in moved:
        place = places[state.key]
        if place.conversation is not None:
            by_conversation.setdefault(place.conversation, []).append(state.user_id)
    for conversation, user_ids in by_conversation.items():
        if has_receipts(transaction.session, conversation):
            readers = _select_read_receipts(conversation.id).where(User.id.in_(user_ids))
            for user, seq in transaction.session.execute(readers):
                transaction.send_on_commit(
                    read_receipt_changed,
                    ReadReceiptChanged(ConversationName.of(conversation), ReadReceipt(Person.of(user), seq)),
                )


def _select_states() -> Select[Conversation, int, int, int, int]:
    """Select conversations with a person's mark and the counts after it; each count is a range of an index."""
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
        .where(or_(after.c.sender_id.is_(None), after.c.sender_id != Membership.user_id))
        .correlate(Membership)
        .scalar_subquery()
    )
    mentions = (
        select(func.count())
        .select_from(Mention)
        .where(
            Mention.user_id == Membership.user_id,
            Mention.conversation_id == Membership.conversation_id,
            Mention.seq > Membership.last_read_seq,
        )
        .correlate(Membership)
        .scalar_subquery()
    )
    return select(
        Conversation, Membership.user_id, Membership.last_read_seq, unread.label("unread"), mentions.label("mentions")
    ).join(Membership, Membership.conversation_id == Conversation.id)


SELECT_STATES = _select_states()


def _fetch_states(session: Session, keys: Collection[Key]) -> dict[Key, ReadState]:
    place = tuple_(Membership.conversation_id, Membership.user_id)
    return {state.key: state for state in map(_state, session.execute(SELECT_STATES.where(place.in_(keys))))}


def _state(row: Row[Conversation, int, int, int, int]) -> ReadState:
    conversation, user_id, last_read_seq, unread, mentions = row
    return ReadState(ConversationName.of(conversation), user_id, last_read_seq, unread, mentions)
