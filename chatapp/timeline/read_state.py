"""Read state: each member's read marker, unread count and count of mentions."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, cast

from sqlalchemy import ScalarSelect, Table, bindparam, func, literal_column, or_, select, update
from sqlalchemy.orm import Session

from chatapp.actors import Actor, find_active_actors
from chatapp.conversations.policy import authorize_reading
from chatapp.conversations.queries import IS_LISTED, MEMBER_KEYS, ConversationAccess, find_accesses
from chatapp.conversations.refs import ConversationRef
from chatapp.errors import ChatError, Invalid, NotFound, SignedOut
from chatapp.models import Conversation, Membership, Mention, Message
from chatapp.storage import INTEGER, BatchChange, ReadStatement, Transaction, encode_rows, parameter_rows, write
from chatapp.timeline.read_markers import MemberKey, ReadState
from chatapp.timeline.read_receipts import send_read_receipts
from chatapp.timeline.signals import read_state_changed

MAX_COUNTED_MESSAGES = 1_000
"""Maximum number of messages after the read marker that are counted, so that the cost is bounded."""

MEMBERSHIPS = cast(Table, Membership.__table__)

_MARKERS = parameter_rows("markers", conversation_id=INTEGER, user_id=INTEGER, last_read_seq=INTEGER)

_UPDATE = (
    update(MEMBERSHIPS)
    .where(MEMBERSHIPS.c.conversation_id == _MARKERS.c.conversation_id, MEMBERSHIPS.c.user_id == _MARKERS.c.user_id)
    .values(last_read_seq=_MARKERS.c.last_read_seq)
)


def mark_read(ref: ConversationRef, actor: Actor, seq: int) -> ReadState:
    """Move the actor's read marker forward to `seq` and return the new read state: see `MoveReadMarker.to_read`."""
    return write(MoveReadMarker.to_read(ref, actor, seq))


@dataclass(frozen=True, slots=True)
class MoveReadMarker(BatchChange[ReadState]):
    """The change of a read marker. One new message can cause hundreds of them at once.

    It raises what `authorize_reading` raises, `SignedOut`, and `Invalid` if the conversation has no such event number.
    """

    conversation: ConversationRef
    actor: Actor
    seq: int
    is_forward_only: bool
    runs_last = True

    @classmethod
    def to_read(cls, ref: ConversationRef, actor: Actor, seq: int) -> Self:
        """Return the change that moves the actor's read marker forward to `seq`. It never moves back."""
        return cls(ref, actor, seq, is_forward_only=True)

    @classmethod
    def to_unread(cls, ref: ConversationRef, actor: Actor, seq: int) -> Self:
        """Return the change that moves it to the event before `seq`: this message and all later ones are unread."""
        return cls(ref, actor, seq - 1, is_forward_only=False)

    @classmethod
    def apply_batch(cls, transaction: Transaction, changes: Sequence[Any]) -> Sequence[ReadState | ChatError]:
        """Move the read markers."""
        session = transaction.session
        active = find_active_actors(session, {change.actor for change in changes})
        accesses = find_accesses(session, {change.key for change in changes})
        errors: dict[int, ChatError] = {}
        before: dict[MemberKey, int] = {}
        markers: dict[MemberKey, int] = {}
        for index, change in enumerate(changes):
            try:
                membership = change.authorize(active, accesses)
            except ChatError as error:
                errors[index] = error
                continue
            before[change.key] = membership.last_read_seq
            marker = markers.get(change.key, membership.last_read_seq)
            markers[change.key] = max(marker, change.seq) if change.is_forward_only else change.seq
        moved_keys = {key for key, seq in markers.items() if seq != before[key]}
        _store_markers(session, {key: markers[key] for key in moved_keys})
        read_states = _fetch_read_states(session, markers)
        moved = [read_states[key] for key in sorted(moved_keys)]
        for read_state in moved:
            transaction.send_on_commit(read_state_changed, read_state)
        for conversation, user_ids in _group_by_conversation(moved, accesses):
            send_read_receipts(transaction, conversation, user_ids)
        return [errors.get(index) or read_states[change.key] for index, change in enumerate(changes)]

    @property
    def key(self) -> MemberKey:
        """Conversation id and user id."""
        return self.conversation.id, self.actor.user_id

    def authorize(self, active: Collection[Actor], accesses: Mapping[MemberKey, ConversationAccess]) -> Membership:
        """Return the membership whose read marker is to move. Raises what the change raises."""
        if self.actor not in active:
            raise SignedOut("You are signed out. Sign in again.")
        conversation, membership = accesses.get(self.key, ConversationAccess(None, None))
        is_same = conversation is not None and ConversationRef.of(conversation) == self.conversation
        readable = authorize_reading(conversation if is_same else None, membership)
        if membership is None:
            raise NotFound("You are not in this conversation.")
        if not 0 <= self.seq <= readable.last_event:
            raise Invalid("seq must be the number of a message in this conversation.")
        return membership


def list_read_states(session: Session, user_id: int, conversation_ids: Collection[int]) -> dict[str, ReadState]:
    """Return a user's read states in those of these conversations that they are a member of, by wire name."""
    rows = session.execute(_SELECT_READ_STATES_OF_USER, {"user_id": user_id, "ids": list(conversation_ids)})
    return {read_state.conversation.wire_name: read_state for read_state in map(_create_read_state, rows)}


def _group_by_conversation(
    read_states: Iterable[ReadState], accesses: Mapping[MemberKey, ConversationAccess]
) -> Iterable[tuple[Conversation, list[int]]]:
    """Return each conversation with the ids of the users."""
    groups: dict[int, tuple[Conversation, list[int]]] = {}
    for read_state in read_states:
        conversation = accesses[read_state.key].conversation
        if conversation is not None:
            groups.setdefault(conversation.id, (conversation, []))[1].append(read_state.user_id)
    return groups.values()


def _count_unread() -> ScalarSelect[int]:
    """Return the number of messages of others after a membership's read marker. It scans a range of an index."""
    after = (
        select(Message.sender_id)
        .where(
            Message.conversation_id == Membership.conversation_id,
            Message.seq > Membership.last_read_seq,
            Message.is_in_room,
        )
        .correlate(Membership)
        .order_by(Message.seq)
        .limit(literal_column(str(MAX_COUNTED_MESSAGES)))  # Not a parameter: see `opaque_parameter`.
        .subquery()
    )
    return (
        select(func.count())
        .select_from(after)
        .where(or_(after.c.sender_id.is_(None), after.c.sender_id != Membership.user_id))
        .correlate(Membership)
        .scalar_subquery()
    )


def _count_mentions() -> ScalarSelect[int]:
    """Return the number of mentions after a membership's read marker. It scans a range of an index."""
    return (
        select(func.count())
        .select_from(Mention)
        .where(
            Mention.user_id == Membership.user_id,
            Mention.conversation_id == Membership.conversation_id,
            Mention.seq > Membership.last_read_seq,
            Mention.is_in_room,
        )
        .correlate(Membership)
        .scalar_subquery()
    )


UNREAD, MENTIONS = _count_unread(), _count_mentions()

SELECT_READ_STATES = select(
    Conversation.kind, Membership.conversation_id, Membership.user_id, Membership.last_read_seq, UNREAD, MENTIONS
).join(Membership, Membership.conversation_id == Conversation.id)

_SELECT_READ_STATES_OF_USER = SELECT_READ_STATES.where(
    Membership.user_id == bindparam("user_id"), Membership.conversation_id.in_(bindparam("ids", expanding=True))
)

_SELECT_LISTED = ReadStatement(SELECT_READ_STATES.join(MEMBER_KEYS, IS_LISTED))


def _store_markers(session: Session, markers: Mapping[MemberKey, int]) -> None:
    if markers:
        # In one order, so that the batches of two processes rarely deadlock.
        rows = encode_rows((*key, seq) for key, seq in sorted(markers.items()))
        session.connection().execute(_UPDATE, {"markers": rows})


def _fetch_read_states(session: Session, keys: Collection[MemberKey]) -> dict[MemberKey, ReadState]:
    rows = _SELECT_LISTED.fetch(session, keys=encode_rows(keys))
    return {read_state.key: read_state for read_state in map(_create_read_state, rows)}


def _create_read_state(row: Sequence[Any]) -> ReadState:
    kind, conversation_id, user_id, last_read_seq, unread, mentions = row
    return ReadState(ConversationRef(kind, conversation_id), user_id, last_read_seq, unread, mentions)
