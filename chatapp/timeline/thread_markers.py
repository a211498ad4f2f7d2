"""Read markers of the people who follow threads."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import BigInteger, Table, and_, select, update
from sqlalchemy.orm import Session

from chatapp.actors import Actor, find_active_actors
from chatapp.conversations.policy import authorize_reading
from chatapp.conversations.queries import ConversationAccess, find_accesses
from chatapp.conversations.refs import ConversationRef
from chatapp.errors import ChatError, Invalid, NotFound, SignedOut
from chatapp.models import Conversation, ThreadMember
from chatapp.storage import INTEGER, BatchChange, ReadStatement, Transaction, encode_rows, parameter_rows, write
from chatapp.timeline.signals import thread_state_changed
from chatapp.timeline.thread_members import UNREAD_REPLIES, check_thread
from chatapp.timeline.threads import ThreadState

_MEMBERS = cast(Table, ThreadMember.__table__)

_Key = tuple[int, int, int]
"""Conversation id, number of the root, and user id."""

_KEYS = parameter_rows("keys", conversation_id=INTEGER, root_seq=BigInteger(), user_id=INTEGER)

_MARKERS = parameter_rows(
    "markers", conversation_id=INTEGER, root_seq=BigInteger(), user_id=INTEGER, last_read_seq=BigInteger()
)

_NAMES = ("conversation_id", "root_seq", "user_id")

_SELECT_STATES = ReadStatement(
    select(
        Conversation.kind,
        *(_MEMBERS.c[name] for name in _NAMES),
        _MEMBERS.c.is_following,
        _MEMBERS.c.last_read_seq,
        UNREAD_REPLIES,
    )
    .select_from(_MEMBERS)
    .join(_KEYS, and_(*(_MEMBERS.c[name] == _KEYS.c[name] for name in _NAMES)))
    .join(Conversation, Conversation.id == _MEMBERS.c.conversation_id)
)

_UPDATE = (
    update(_MEMBERS)
    .where(
        *(_MEMBERS.c[name] == _MARKERS.c[name] for name in _NAMES),
        _MEMBERS.c.last_read_seq < _MARKERS.c.last_read_seq,
    )
    .values(last_read_seq=_MARKERS.c.last_read_seq)
)


def mark_thread_read(ref: ConversationRef, actor: Actor, root: int, seq: int) -> ThreadState:
    """Move the actor's read marker in a thread forward to `seq`, and return the thread's state."""
    return write(MoveThreadMarker(ref, actor, root, seq))


@dataclass(frozen=True, slots=True)
class MoveThreadMarker(BatchChange[ThreadState]):
    """The change of a read marker in a thread. One new reply can cause hundreds of them at once.

    The marker only moves forward. It is kept for threads that the actor follows or has followed. The change raises what
    `authorize_reading` raises, `SignedOut`, `NotFound`, and `Invalid` if the conversation has no such event number.
    """

    conversation: ConversationRef
    actor: Actor
    root: int
    seq: int
    runs_last = True

    @classmethod
    def apply_batch(cls, transaction: Transaction, changes: Sequence[Any]) -> Sequence[ThreadState | ChatError]:
        """Move the read markers."""
        session = transaction.session
        active = find_active_actors(session, {change.actor for change in changes})
        accesses = find_accesses(session, {(change.conversation.id, change.actor.user_id) for change in changes})
        threads: dict[tuple[int, int], NotFound | None] = {}
        errors: dict[int, ChatError] = {}
        markers: dict[_Key, int] = {}
        for index, change in enumerate(changes):
            try:
                conversation = change.authorize(active, accesses)
                _check_once(session, threads, conversation, change.root)
                if change.seq > conversation.last_event:
                    raise Invalid("seq must be the number of a message in this conversation.")
            except ChatError as error:
                errors[index] = error
            else:
                markers[change.key] = max(markers.get(change.key, 0), change.seq)
        states = _move(transaction, markers)
        return [
            errors.get(index)
            or states.get(change.key)
            or ThreadState(
                change.conversation, change.root, change.actor.user_id, is_following=False, unread=0, last_read_seq=0
            )
            for index, change in enumerate(changes)
        ]

    @property
    def key(self) -> _Key:
        """Conversation id, number of the root, and user id."""
        return self.conversation.id, self.root, self.actor.user_id

    def authorize(
        self, active: Collection[Actor], accesses: Mapping[tuple[int, int], ConversationAccess]
    ) -> Conversation:
        """Return the conversation, if the actor may read it. Raises what the change raises."""
        if self.actor not in active:
            raise SignedOut("You are signed out. Sign in again.")
        access = accesses.get((self.conversation.id, self.actor.user_id), ConversationAccess(None, None))
        is_same = access.conversation is not None and ConversationRef.of(access.conversation) == self.conversation
        conversation = authorize_reading(access.conversation if is_same else None, access.membership)
        if access.membership is None:
            raise NotFound("You are not in this conversation.")
        return conversation


def _check_once(
    session: Session, threads: dict[tuple[int, int], NotFound | None], conversation: Conversation, root: int
) -> None:
    key = conversation.id, root
    if key not in threads:
        try:
            check_thread(session, conversation, root)
            threads[key] = None
        except NotFound as error:
            threads[key] = error
    missing = threads[key]
    if missing is not None:
        raise missing


def _move(transaction: Transaction, markers: Mapping[_Key, int]) -> dict[_Key, ThreadState]:
    session = transaction.session
    before = _fetch_states(session, markers)
    # In one order, so that the batches of two processes rarely deadlock.
    moved = [key for key in sorted(before) if before[key].last_read_seq < markers[key]]
    if not moved:
        return before
    session.connection().execute(_UPDATE, {"markers": encode_rows((*key, markers[key]) for key in moved)})
    after = _fetch_states(session, moved)
    for state in after.values():
        transaction.send_on_commit(thread_state_changed, state)
    return before | after


def _fetch_states(session: Session, keys: Collection[_Key]) -> dict[_Key, ThreadState]:
    if not keys:
        return {}
    states = (
        ThreadState(
            ConversationRef(kind, conversation_id),
            root,
            user_id,
            is_following,
            unread if is_following else 0,
            last_read_seq,
        )
        for kind, conversation_id, root, user_id, is_following, last_read_seq, unread in _SELECT_STATES.fetch(
            session, keys=encode_rows(keys)
        )
    )
    return {(state.conversation.id, state.root_seq, state.user_id): state for state in states}
