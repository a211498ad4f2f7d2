"""Updates of threads: what a reply changes besides its own row. The caller holds the lock of the conversation.

Each posted or deleted reply also changes its root, which takes the next event number. So the summary of the thread is
broadcast, caught up with and cached like every other part of the root message.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import BigInteger, Table, and_, bindparam, delete, func, insert, select, update
from sqlalchemy.orm import Session

from chatapp.conversations.people import Person
from chatapp.mention_names import find_names
from chatapp.models import Message, Thread, ThreadMember
from chatapp.storage import INTEGER, Transaction, encode_rows, parameter_rows
from chatapp.timeline.event_numbers import NumberedConversation, increment_last_event
from chatapp.timeline.threads import (
    IS_LISTED_THREAD,
    THREAD_KEYS,
    ThreadKey,
    format_people,
    parse_people,
)

RECOUNTED_REPLIES = 100
"""Number of a thread's last replies that are read to find its last participants again after one was deleted."""

_THREADS, _MEMBERS, _MESSAGES = (cast(Table, model.__table__) for model in (Thread, ThreadMember, Message))

_OF_THREAD = and_(_THREADS.c.conversation_id == bindparam("of"), _THREADS.c.root_seq == bindparam("root"))

_SELECT_THREADS = select(_THREADS).join(THREAD_KEYS, IS_LISTED_THREAD)

_SELECT_TARGETS = select(
    *(_MESSAGES.c[name] for name in ("conversation_id", "seq", "thread_root", "deleted_at", "sender_id"))
).join(
    THREAD_KEYS,
    and_(_MESSAGES.c.conversation_id == THREAD_KEYS.c.conversation_id, _MESSAGES.c.seq == THREAD_KEYS.c.root_seq),
)

_UPDATE_THREAD = (
    update(_THREADS)
    .where(_OF_THREAD)
    .values({name: bindparam(f"new_{name}") for name in ("reply_count", "last_seq", "last_reply_at", "last_people")})
)

_UPDATE_ROOT = (
    update(_MESSAGES)
    .where(_MESSAGES.c.conversation_id == bindparam("of"), _MESSAGES.c.seq == bindparam("root"))
    .values(version=bindparam("new_version"))
)

_MEMBER_KEYS = parameter_rows("keys", conversation_id=INTEGER, root_seq=BigInteger(), user_id=INTEGER)

_SELECT_MEMBERS = select(_MEMBERS).join(
    _MEMBER_KEYS,
    and_(*(_MEMBERS.c[name] == _MEMBER_KEYS.c[name] for name in ("conversation_id", "root_seq", "user_id"))),
)

_UPDATE_MEMBER = (
    update(_MEMBERS)
    .where(
        _MEMBERS.c.conversation_id == bindparam("of"),
        _MEMBERS.c.root_seq == bindparam("root"),
        _MEMBERS.c.user_id == bindparam("member"),
    )
    .values(is_following=bindparam("new_is_following"), last_read_seq=bindparam("new_last_read_seq"))
)

_SELECT_LAST = (
    select(_MESSAGES.c.seq, _MESSAGES.c.sender_id, _MESSAGES.c.created_at, _MESSAGES.c.deleted_at)
    .where(_MESSAGES.c.conversation_id == bindparam("of"), _MESSAGES.c.thread_root == bindparam("root"))
    .order_by(_MESSAGES.c.seq.desc())
    .limit(RECOUNTED_REPLIES)
)


@dataclass(slots=True)
class Reply:
    """A new reply in a thread. Nothing changes it."""

    root: ThreadKey
    seq: int
    sender_id: int | None
    created_at: datetime
    content: str
    mentioned: Sequence[Person]

    @property
    def named(self) -> Iterable[int]:
        """The ids of the people it mentions by name. `@all` makes nobody a follower."""
        names = find_names(self.content) if self.mentioned else ()
        return (person.id for person in self.mentioned if person.username in names)


def find_roots(session: Session, keys: Collection[ThreadKey]) -> dict[ThreadKey, int]:
    """Return the root of the thread that a reply to each of these messages belongs to, if the message can get replies.

    A reply to a reply belongs to the same thread. A deleted message can get further replies, but not a first one.
    """
    if not keys:
        return {}
    found = _find_targets(session, keys)
    roots = {key: key[1] if row.thread_root is None else row.thread_root for key, row in found.items()}
    # The root of a reply may have been removed by a cleanup.
    found |= _find_targets(session, {(key[0], root) for key, root in roots.items()} - found.keys())
    deleted = {key for key, row in found.items() if row.deleted_at is not None}
    # Somebody may follow a message without replies.
    known = {key for key, thread in _find_threads(session, deleted).items() if thread.last_seq > thread.root_seq}
    return {
        key: root
        for key, root in roots.items()
        if (key[0], root) in found and ((key[0], root) not in deleted or (key[0], root) in known)
    }


def change_roots(transaction: Transaction, conversation: NumberedConversation, roots: Iterable[int]) -> None:
    """Assign roots of a locked conversation their next version. The caller stores the conversation's event number."""
    transaction.session.connection().execute(
        _UPDATE_ROOT,
        [
            {"of": conversation.id, "root": root, "new_version": increment_last_event(transaction, conversation)}
            for root in roots
        ],
    )


def store_replies(session: Session, replies: Sequence[Reply]) -> None:
    """Update the threads of new replies and the people who follow them, in a few statements."""
    threads = _find_threads(session, {reply.root for reply in replies})
    by_root: dict[ThreadKey, list[Reply]] = defaultdict(list)
    for reply in replies:
        by_root[reply.root].append(reply)
    created, updated = [], []
    for key, added in by_root.items():
        known = threads.get(key)
        people = [reply.sender_id for reply in reversed(added) if reply.sender_id is not None]
        values = {
            "reply_count": (known.reply_count if known else 0) + len(added),
            "last_seq": added[-1].seq,
            "last_reply_at": added[-1].created_at,
            "last_people": format_people([*people, *parse_people(known.last_people if known else "")]),
        }
        if known is None:
            created.append({"conversation_id": key[0], "root_seq": key[1], **values})
        else:
            updated.append(_new(key, values))
    connection = session.connection()
    if created:
        connection.execute(insert(_THREADS), created)
    if updated:
        connection.execute(_UPDATE_THREAD, updated)
    _store_followers(session, replies)


def add_named_followers(session: Session, reply: Reply) -> None:
    """Add the people mentioned by name in an edited reply as followers."""
    _insert_members(session, {(*reply.root, user_id): reply.seq - 1 for user_id in reply.named})


def recount_reply(transaction: Transaction, conversation: NumberedConversation, root: int, change: int) -> bool:
    """Update a thread after a reply was deleted (`change` is -1), or its deletion undone (1).

    Return whether the root exists and therefore has changed. The caller stores the conversation's event number.
    """
    session = transaction.session
    session.flush()
    parameters = {"of": conversation.id, "root": root}
    thread = session.execute(select(_THREADS).where(_OF_THREAD), parameters).one_or_none()
    if thread is None:
        return False
    _store_recount(session, (conversation.id, root), max(thread.reply_count + change, 0), thread.last_seq)
    if not find_roots(session, [(conversation.id, root)]):
        return False
    change_roots(transaction, conversation, [root])
    return True


def forget_removed(session: Session, conversation_id: int, removed: Mapping[int, int], floor: int) -> None:
    """Update threads after a cleanup has removed the messages up to `floor`.

    `removed` maps each root to the number of its removed replies that were not deleted. A thread whose root was removed
    keeps its remaining replies; a thread without remaining messages is deleted.
    """
    connection = session.connection()
    if removed:
        connection.execute(
            update(_THREADS).where(_OF_THREAD).values(reply_count=_THREADS.c.reply_count - bindparam("count")),
            [{"of": conversation_id, "root": root, "count": count} for root, count in removed.items()],
        )
    ended = and_(
        _THREADS.c.conversation_id == conversation_id, _THREADS.c.root_seq <= floor, _THREADS.c.last_seq <= floor
    )
    roots = connection.execute(select(_THREADS.c.root_seq).where(ended)).scalars().all()
    if roots:
        connection.execute(
            delete(_MEMBERS).where(
                _MEMBERS.c.conversation_id == conversation_id, _MEMBERS.c.root_seq == bindparam("root")
            ),
            [{"root": root} for root in roots],
        )
        connection.execute(delete(_THREADS).where(ended))


def recount_threads(transaction: Transaction, conversation: NumberedConversation, roots: Collection[int]) -> None:
    """Recount the replies of threads after archived messages were restored. Existing roots get a new version."""
    session = transaction.session
    known = _find_threads(session, {(conversation.id, root) for root in roots})
    for root in roots:
        of_thread = _MESSAGES.c.conversation_id == conversation.id, _MESSAGES.c.thread_root == root
        count, last_seq = session.execute(
            select(func.count().filter(_MESSAGES.c.deleted_at.is_(None)), func.max(_MESSAGES.c.seq)).where(*of_thread)
        ).one()
        if (conversation.id, root) not in known:
            session.connection().execute(
                insert(_THREADS),
                {"conversation_id": conversation.id, "root_seq": root, "reply_count": count, "last_seq": last_seq},
            )
        _store_recount(session, (conversation.id, root), count, last_seq)
    existing = find_roots(session, {(conversation.id, root) for root in roots})
    if existing:
        change_roots(transaction, conversation, sorted(existing.values()))


def _store_recount(session: Session, key: ThreadKey, count: int, last_seq: int) -> None:
    last = session.execute(_SELECT_LAST, {"of": key[0], "root": key[1]}).all()
    left = [row for row in last if row.deleted_at is None]
    values: dict[str, object] = {"reply_count": count, "last_seq": last_seq}
    if left or count == 0:  # Otherwise the remaining replies are older than those that were read.
        values["last_reply_at"] = left[0].created_at if left else None
        values["last_people"] = format_people([row.sender_id for row in left if row.sender_id is not None])
    session.connection().execute(update(_THREADS).where(_OF_THREAD).values(values), {"of": key[0], "root": key[1]})


def _store_followers(session: Session, replies: Sequence[Reply]) -> None:
    """Add the author of the root, the senders, and the people mentioned by name as followers."""
    # Not only of new threads: somebody may have followed one before its first reply, or its replies were restored.
    found = _find_targets(session, {reply.root for reply in replies})
    markers = {(*key, row.sender_id): key[1] for key, row in found.items() if row.sender_id is not None}
    for reply in replies:
        for user_id in reply.named:
            markers.setdefault((*reply.root, user_id), reply.seq - 1)
    # A reply moves its sender's read marker, and makes the sender follow the thread again.
    senders = {(*reply.root, reply.sender_id): reply.seq for reply in replies if reply.sender_id is not None}
    known = _insert_members(session, markers | senders)
    updated = [
        _new(key[:2], {"is_following": True, "last_read_seq": max(known[key].last_read_seq, seq)}) | {"member": key[2]}
        for key, seq in senders.items()
        if key in known
    ]
    if updated:
        session.connection().execute(_UPDATE_MEMBER, updated)


def _insert_members(session: Session, markers: Mapping[tuple[int, int, int], int]) -> dict[tuple[int, int, int], Any]:
    """Insert members with their read markers. Return the rows of those that existed, which stay as they are."""
    if not markers:
        return {}
    connection = session.connection()
    rows = connection.execute(_SELECT_MEMBERS, {"keys": encode_rows(markers)})
    known = {(row.conversation_id, row.root_seq, row.user_id): row for row in rows}
    created = [
        {"conversation_id": key[0], "root_seq": key[1], "user_id": key[2], "is_following": True, "last_read_seq": seq}
        for key, seq in markers.items()
        if key not in known
    ]
    if created:
        connection.execute(insert(_MEMBERS), created)
    return known


def _find_targets(session: Session, keys: Collection[ThreadKey]) -> dict[ThreadKey, Any]:
    if not keys:
        return {}
    rows = session.connection().execute(_SELECT_TARGETS, {"keys": encode_rows(keys)})
    return {(row.conversation_id, row.seq): row for row in rows}


def _find_threads(session: Session, keys: Collection[ThreadKey]) -> dict[ThreadKey, Any]:
    if not keys:
        return {}
    rows = session.connection().execute(_SELECT_THREADS, {"keys": encode_rows(keys)})
    return {(row.conversation_id, row.root_seq): row for row in rows}


def _new(key: Sequence[int], values: Mapping[str, object]) -> dict[str, object]:
    """Return the parameters of an UPDATE: columns cannot be parameters of the same names."""
    return {"of": key[0], "root": key[1], **{f"new_{name}": value for name, value in values.items()}}
