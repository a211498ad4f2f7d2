"""The followers of threads, their read markers, and the list of the threads that a person follows."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Row,
    ScalarSelect,
    Table,
    and_,
    bindparam,
    case,
    func,
    insert,
    literal_column,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.orm import Session

from chatapp.actors import Actor
from chatapp.conversations.kinds import kind_of
from chatapp.conversations.policy import authorize_reading
from chatapp.conversations.queries import find_access_of
from chatapp.conversations.refs import ConversationRef
from chatapp.errors import Conflict, Invalid, NotFound
from chatapp.models import Conversation, Membership, Message, Thread, ThreadMember
from chatapp.models.base import LAST_ID
from chatapp.storage import Key, Keyset, ListPage, ReadStatement, Transaction, read_natively, write
from chatapp.timeline.event_numbers import lock_columns
from chatapp.timeline.messages import TimelineMessage, fetch_roots
from chatapp.timeline.read_state import MAX_COUNTED_MESSAGES
from chatapp.timeline.signals import thread_state_changed
from chatapp.timeline.thread_replies import find_roots
from chatapp.timeline.threads import MAX_FOLLOWED_THREADS, ThreadState

_THREADS, _MEMBERS, _MESSAGES = (cast(Table, model.__table__) for model in (Thread, ThreadMember, Message))

_LIMIT: ColumnElement[int] = literal_column(str(MAX_COUNTED_MESSAGES))
"""Not a parameter: see `opaque_parameter`."""


def _count_unread() -> ScalarSelect[int]:
    """Return the number of replies of others after a member's read marker. It scans a range of an index."""
    after = (
        select(_MESSAGES.c.sender_id)
        .where(
            _MESSAGES.c.conversation_id == _MEMBERS.c.conversation_id,
            _MESSAGES.c.thread_root == _MEMBERS.c.root_seq,
            _MESSAGES.c.seq > _MEMBERS.c.last_read_seq,
        )
        .correlate(_MEMBERS)
        .order_by(_MESSAGES.c.seq)
        .limit(_LIMIT)
        .subquery()
    )
    return (
        select(func.count())
        .select_from(after)
        .where(or_(after.c.sender_id.is_(None), after.c.sender_id != _MEMBERS.c.user_id))
        .correlate(_MEMBERS)
        .scalar_subquery()
    )


UNREAD_REPLIES = _count_unread()

_IS_MEMBER = and_(
    _MEMBERS.c.conversation_id == bindparam("of"),
    _MEMBERS.c.root_seq == bindparam("root", type_=BigInteger()),
    _MEMBERS.c.user_id == bindparam("member"),
)

_JOIN_THREAD = and_(
    _THREADS.c.conversation_id == _MEMBERS.c.conversation_id, _THREADS.c.root_seq == _MEMBERS.c.root_seq
)

_JOIN_MEMBERSHIP = and_(
    Membership.conversation_id == _MEMBERS.c.conversation_id, Membership.user_id == _MEMBERS.c.user_id
)
"""Everybody who may read a conversation with threads is a member of it."""

_IS_UNREAD = _THREADS.c.last_seq > _MEMBERS.c.last_read_seq
"""Whether others have replied since. A reply moves the read marker of its sender."""

_SELECT_STATE = ReadStatement(
    select(_MEMBERS.c.is_following, _MEMBERS.c.last_read_seq, UNREAD_REPLIES).where(_IS_MEMBER)
)

_SELECT_FOLLOWERS = (
    select(_MEMBERS.c.user_id, _MEMBERS.c.last_read_seq)
    .join(Membership, _JOIN_MEMBERSHIP)
    .where(
        _MEMBERS.c.conversation_id == bindparam("of"), _MEMBERS.c.root_seq == bindparam("root"), _MEMBERS.c.is_following
    )
)

_SELECT_LAST_SENDERS = (
    select(_MESSAGES.c.seq, _MESSAGES.c.sender_id)
    .where(_MESSAGES.c.conversation_id == bindparam("of"), _MESSAGES.c.thread_root == bindparam("root"))
    .order_by(_MESSAGES.c.seq.desc())
    .limit(MAX_COUNTED_MESSAGES)
)

_FOLLOWED = (
    select(
        Conversation,
        _MEMBERS.c.root_seq,
        _MEMBERS.c.last_read_seq,
    )
    .select_from(_MEMBERS)
    .join(_THREADS, _JOIN_THREAD)
    .join(Membership, _JOIN_MEMBERSHIP)
    .join(Conversation, Conversation.id == _MEMBERS.c.conversation_id)
    .where(_MEMBERS.c.user_id == bindparam("user_id"), _MEMBERS.c.is_following)
)

_UNREAD_FIRST = Keyset(
    Key(case((_IS_UNREAD, 1), else_=0), is_descending=True, maximum=1),
    Key(func.coalesce(_THREADS.c.last_reply_at, Conversation.created_at), is_descending=True, is_time=True),
    Key(_MEMBERS.c.conversation_id, maximum=LAST_ID),
    Key(_MEMBERS.c.root_seq),
)

# Only for the threads of one page: a person may follow thousands.
_SELECT_UNREAD = select(_MEMBERS.c.conversation_id, _MEMBERS.c.root_seq, UNREAD_REPLIES).where(
    _MEMBERS.c.user_id == bindparam("user_id"),
    tuple_(_MEMBERS.c.conversation_id, _MEMBERS.c.root_seq).in_(bindparam("keys", expanding=True)),
)


@dataclass(frozen=True, slots=True)
class FollowedThread:
    """A thread in a person's list."""

    conversation: Conversation
    state: ThreadState
    root: TimelineMessage | None
    """The first message; None if a cleanup has removed it."""


def follow_thread(ref: ConversationRef, actor: Actor, root: int, *, on: bool) -> ThreadState:
    """Follow a thread or stop following it (`on` false), and return its state. The message may have no replies yet.

    Raises what `authorize_reading` raises, `SignedOut`, `NotFound`, and `Conflict` at the limit of followed threads.
    """

    def change(session: Session, state: ThreadState) -> None:
        if on:
            _check_limit(session, state)
        last_seq = _insert_thread(session, ref, root)
        # A new follower has read the replies that exist.
        marker = state.last_read_seq if state.is_following or not on else max(state.last_read_seq, last_seq)
        # Reading needs no lock of the conversation: it may have moved the marker since.
        stored = _MEMBERS.c.last_read_seq
        latest = case((stored < marker, marker), else_=stored)
        values = {"is_following": on, "last_read_seq": latest if _has_state(session, state) else marker}
        _store_member(session, state, values)

    return write(_change_state(ref, actor, root, change), locks=[ref.id])


def mark_thread_unread(ref: ConversationRef, actor: Actor, root: int, seq: int) -> ThreadState:
    """Move the actor's read marker in a thread to before `seq`, and return the thread's state. It is followed then.

    Raises what `follow_thread` raises, and `Invalid` if the conversation has no such event number.
    """

    def change(session: Session, state: ThreadState) -> None:
        last_event = session.execute(select(Conversation.last_event).where(Conversation.id == ref.id)).scalar_one()
        if not 0 < seq <= last_event:
            raise Invalid("seq must be the number of a message in this conversation.")
        _check_limit(session, state)
        last_seq = _insert_thread(session, ref, root)
        _store_member(session, state, {"is_following": True, "last_read_seq": seq - 1})
        if not find_thread_state(session, ref, actor.user_id, root).unread:
            # The only replies that follow are the actor's own.
            _store_member(session, state, {"is_following": True, "last_read_seq": max(last_seq, state.last_read_seq)})

    return write(_change_state(ref, actor, root, change), locks=[ref.id])


def _change_state(
    ref: ConversationRef, actor: Actor, root: int, change: Callable[[Session, ThreadState], None]
) -> Callable[[Transaction], ThreadState]:
    def apply(transaction: Transaction) -> ThreadState:
        session = transaction.session
        lock_columns(session, [ref.id])
        access = find_access_of(session, ref, actor)
        conversation = authorize_reading(*access)
        if access.membership is None:
            raise NotFound("You are not in this conversation.")
        check_thread(session, conversation, root)
        before = find_thread_state(session, ref, actor.user_id, root)
        change(session, before)
        after = find_thread_state(session, ref, actor.user_id, root)
        if after != before:
            transaction.send_on_commit(thread_state_changed, after)
        return after

    return apply


def check_thread(session: Session, conversation: Conversation, root: int) -> None:
    """Raise `NotFound` unless the message `root` is the first one of a thread, or can become that.

    The thread of a removed message exists as long as it has replies. A reply starts no thread of its own. Conversations
    with an assistant have no threads.
    """
    if not kind_of(conversation).has_threads:
        raise NotFound("A conversation with an assistant has no threads.")
    if find_roots(session, {(conversation.id, root)}).get((conversation.id, root)) == root:
        return
    known = select(_THREADS.c.root_seq).where(
        _THREADS.c.conversation_id == conversation.id, _THREADS.c.root_seq == root
    )
    if session.execute(known).one_or_none() is None:
        raise NotFound("There is no such thread.")


def find_thread_state(session: Session, ref: ConversationRef, user_id: int, root: int) -> ThreadState:
    """Return a thread as a person sees it."""
    rows = _SELECT_STATE.fetch(session, of=ref.id, root=root, member=user_id)
    is_following, last_read_seq, unread = rows[0] if rows else (False, 0, 0)
    return ThreadState(ref, root, user_id, is_following, unread if is_following else 0, last_read_seq)


def count_followed_threads(session: Session, user_id: int) -> int:
    """Return the number of threads that a person follows."""
    return session.execute(
        select(func.count())
        .select_from(_MEMBERS)
        .join(Membership, _JOIN_MEMBERSHIP)
        .where(_MEMBERS.c.user_id == user_id, _MEMBERS.c.is_following)
    ).scalar_one()


def read_followed_threads(
    session: Session, user_id: int, *, before: str | None = None, after: str | None = None, limit: int
) -> ListPage[FollowedThread]:
    """Return a page of the threads that a person follows: first those with unread replies, then by the last reply."""
    page = _UNREAD_FIRST.read(session, _FOLLOWED.params(user_id=user_id), before=before, after=after, limit=limit)
    return page.map(lambda rows: _load_followed(session, user_id, rows))


def _load_followed(session: Session, user_id: int, rows: Sequence[Row[Any]]) -> Sequence[FollowedThread]:
    keys = [(row.Conversation.id, row.root_seq) for row in rows]
    counts = session.execute(_SELECT_UNREAD, {"user_id": user_id, "keys": keys}) if keys else ()
    unread = {(conversation_id, root_seq): count for conversation_id, root_seq, count in counts}
    states = [
        ThreadState(
            ConversationRef.of(row.Conversation),
            row.root_seq,
            user_id,
            is_following=True,
            unread=unread[row.Conversation.id, row.root_seq],
            last_read_seq=row.last_read_seq,
        )
        for row in rows
    ]
    roots = fetch_roots(session, [(state.conversation, state.root_seq) for state in states])
    return [
        FollowedThread(row.Conversation, state, roots.get((state.conversation, state.root_seq)))
        for row, state in zip(rows, states, strict=True)
    ]


def list_follower_states(
    session: Session, ref: ConversationRef, root: int, is_wanted: Callable[[int], bool]
) -> Sequence[ThreadState]:
    """Return the state of a thread for each follower whose id `is_wanted`, in two queries."""

    def read(session: Session) -> tuple[Sequence[Any], Sequence[Any]]:
        parameters = {"of": ref.id, "root": root}
        return (
            session.execute(_SELECT_FOLLOWERS, parameters).all(),
            session.execute(_SELECT_LAST_SENDERS, parameters).all(),
        )

    followers, newest_first = read_natively(session, read)
    last, last_by_sender = list[int](), defaultdict[int, list[int]](list)
    for seq, sender_id in reversed(newest_first):
        last.append(seq)
        last_by_sender[sender_id].append(seq)
    return [
        ThreadState(
            ref,
            root,
            user_id,
            is_following=True,
            unread=_count_after(last, marker) - _count_after(last_by_sender.get(user_id, ()), marker),
            last_read_seq=marker,
        )
        for user_id, marker in followers
        if is_wanted(user_id)
    ]


def _count_after(seqs: Sequence[int], marker: int) -> int:
    """Count the numbers above a marker. A thread may have thousands of followers."""
    return len(seqs) - bisect_right(seqs, marker)


def _has_state(session: Session, state: ThreadState) -> bool:
    parameters = {"of": state.conversation.id, "root": state.root_seq, "member": state.user_id}
    return session.execute(select(_MEMBERS.c.user_id).where(_IS_MEMBER), parameters).one_or_none() is not None


def _check_limit(session: Session, state: ThreadState) -> None:
    """Raise `Conflict` at the limit of followed threads. Threads that the person replies in do not count against it."""
    if state.is_following:
        return
    followed = select(func.count()).where(_MEMBERS.c.user_id == state.user_id, _MEMBERS.c.is_following)
    if session.execute(followed).scalar_one() >= MAX_FOLLOWED_THREADS:
        raise Conflict(f"You follow {MAX_FOLLOWED_THREADS:,} threads. Stop following some before you follow another.")


def _insert_thread(session: Session, ref: ConversationRef, root: int) -> int:
    """Insert the thread of a message without replies, if it is new. Return the number of the last reply or the root."""
    last_seq: int | None = session.execute(
        select(_THREADS.c.last_seq).where(_THREADS.c.conversation_id == ref.id, _THREADS.c.root_seq == root)
    ).scalar_one_or_none()
    if last_seq is not None:
        return last_seq
    values = {"conversation_id": ref.id, "root_seq": root, "reply_count": 0, "last_seq": root}
    session.execute(insert(_THREADS), values)
    return root


def _store_member(session: Session, state: ThreadState, values: Mapping[str, object]) -> None:
    key = {"conversation_id": state.conversation.id, "root_seq": state.root_seq, "user_id": state.user_id}
    if _has_state(session, state):
        is_member = and_(*(_MEMBERS.c[name] == value for name, value in key.items()))
        session.execute(update(_MEMBERS).where(is_member).values(dict(values)))
    else:
        session.execute(insert(_MEMBERS), {**key, **values})
