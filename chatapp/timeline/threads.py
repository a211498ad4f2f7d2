"""Threads as readers see them: the summary that their roots show, and one person's state."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BigInteger, and_, bindparam, select
from sqlalchemy.orm import Session

from chatapp.conversations.people import PERSON_COLUMNS, Person, make_person
from chatapp.conversations.refs import ConversationRef
from chatapp.models import Thread, User
from chatapp.storage import INTEGER, encode_rows, parameter_rows

MAX_LAST_PEOPLE = 3
"""Number of people who are shown as having replied last."""

MAX_FOLLOWED_THREADS = 5_000
"""Number of threads from which on a person can follow no more by hand: each sidebar counts the unread ones."""

ThreadKey = tuple[int, int]
"""The id of a conversation, and the `seq` of the root."""

THREAD_KEYS = parameter_rows("keys", conversation_id=INTEGER, root_seq=BigInteger())
"""Keys of threads."""

IS_LISTED_THREAD = and_(
    Thread.conversation_id == THREAD_KEYS.c.conversation_id, Thread.root_seq == THREAD_KEYS.c.root_seq
)
"""The condition that selects the threads with one of the `THREAD_KEYS`."""

# Built once: building a statement takes as long as executing it.
_SELECT = select(
    Thread.conversation_id, Thread.root_seq, Thread.reply_count, Thread.last_reply_at, Thread.last_people
).join(THREAD_KEYS, IS_LISTED_THREAD)

_SELECT_PEOPLE = select(*PERSON_COLUMNS).where(User.id.in_(bindparam("ids", expanding=True)))


@dataclass(frozen=True, slots=True)
class ThreadSummary:
    """The replies to a message."""

    count: int
    last_at: datetime | None
    people: tuple[Person, ...]
    """Who has replied last, the last one first."""


@dataclass(frozen=True, slots=True)
class ThreadState:
    """A thread as one person sees it."""

    conversation: ConversationRef
    root_seq: int
    user_id: int
    is_following: bool
    unread: int
    """Number of replies of others after the read marker. It is counted up to `MAX_COUNTED_MESSAGES`."""
    last_read_seq: int


def fetch_summaries(session: Session, keys: Collection[ThreadKey]) -> dict[ThreadKey, ThreadSummary]:
    """Return the summaries of those threads that have replies. At most two queries."""
    if not keys:
        return {}
    rows = session.connection().execute(_SELECT, {"keys": encode_rows(keys)}).all()
    replied = [row for row in rows if row.reply_count]
    ids = {user_id for row in replied for user_id in parse_people(row.last_people)}
    people = {
        person[0]: make_person(*person)
        for person in (session.execute(_SELECT_PEOPLE, {"ids": list(ids)}) if ids else ())
    }
    return {
        (row.conversation_id, row.root_seq): ThreadSummary(
            row.reply_count,
            row.last_reply_at,
            tuple(people[user_id] for user_id in parse_people(row.last_people) if user_id in people),
        )
        for row in replied
    }


def parse_people(text: str) -> list[int]:
    """Return the ids of `Thread.last_people`."""
    return [int(user_id) for user_id in text.split(",") if user_id]


def format_people(user_ids: Collection[int]) -> str:
    """Return the text of `Thread.last_people` for people in the order of their last replies, each counted once."""
    return ",".join(str(user_id) for user_id in list(dict.fromkeys(user_ids))[:MAX_LAST_PEOPLE])
