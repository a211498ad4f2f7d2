"""The mentions of one person in all their conversations: first those that are unread, then the others, latest first."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Select, and_, func, not_, select, true
from sqlalchemy.orm import Session

from chatapp.conversations.refs import ConversationRef
from chatapp.models import Conversation, Membership, Mention
from chatapp.storage import Key, Keyset, ListPage, read_natively
from chatapp.timeline.messages import TimelineMessage, fetch_messages_of
from chatapp.timeline.read_state import MAX_COUNTED_MESSAGES

IS_UNREAD = and_(Mention.is_in_room, Mention.seq > Membership.last_read_seq)
"""A thread has unread counts of its own, which the read marker of the conversation does not change."""


_OLDEST_FIRST = Keyset(Key(Mention.message_id))
_OLDEST_UNREAD_FIRST = Keyset(Key(Mention.message_id + 0))
"""See `select_unread`."""


@dataclass(frozen=True, slots=True)
class MentionCursor:
    """A place in the inbox: the mentions after it are older, or are read."""

    is_unread: bool
    message_id: int


@dataclass(frozen=True, slots=True)
class MentionOfReader:
    """A message that mentions the reader, and its conversation."""

    message: TimelineMessage
    conversation: Conversation
    is_unread: bool
    """Whether it is after the read marker."""


@dataclass(frozen=True, slots=True)
class MentionPage:
    """Consecutive mentions of a reader."""

    mentions: Sequence[MentionOfReader]
    next: MentionCursor | None
    """The cursor of the page after this one, if there is one."""


def read_mentions(session: Session, user_id: int, *, after: MentionCursor | None, limit: int) -> MentionPage:
    """Return the messages that mention a user in the conversations that they are a member of.

    Membership is what permits reading. The general chat has all users as members.
    """
    return read_natively(session, lambda reading: _read(reading, user_id, after, limit))


def list_mentions(
    session: Session, user_id: int, *, before: str | None, after: str | None, limit: int, only_unread: bool
) -> tuple[ListPage[MentionOfReader], int]:
    """Return a page of the mentions in the order of the messages' ids, by default the last one, and their number.

    They are those of `read_mentions`. At most `MAX_COUNTED_MESSAGES` are counted.
    """
    query, order = (
        (select_unread(user_id), _OLDEST_UNREAD_FIRST) if only_unread else (select_mentions(user_id), _OLDEST_FIRST)
    )

    def read(reading: Session) -> tuple[ListPage[MentionOfReader], int]:
        page = order.read(reading, query, before=before, after=after, limit=limit, is_from_end=True)
        counted = query.order_by(None).limit(MAX_COUNTED_MESSAGES).subquery()
        total = reading.execute(select(func.count()).select_from(counted)).scalar_one()
        return page.map(lambda rows: _load(reading, rows)), total

    return read_natively(session, read)


def select_mentions(user_id: int) -> Select[int, Conversation, bool]:
    """Select the mentions of a user in the conversations that they are a member of."""
    return (
        select(Mention.message_id, Conversation, IS_UNREAD.label("is_unread"))
        .join(
            Membership,
            and_(Membership.conversation_id == Mention.conversation_id, Membership.user_id == Mention.user_id),
        )
        .join(Conversation, Conversation.id == Mention.conversation_id)
        .where(Mention.user_id == user_id)
    )


def select_unread(user_id: int) -> Select[int, Conversation, bool]:
    """Select the unread mentions of a user, latest first. Only these are read, and sorted.

    Planners would rather begin with all mentions of the user: the read markers are materialized, and with `+ 0` no
    index has the order.
    """
    columns = Membership.conversation_id, Membership.user_id, Membership.last_read_seq
    markers = select(*columns).where(Membership.user_id == user_id).cte("markers").prefix_with("MATERIALIZED")
    return (
        select(Mention.message_id, Conversation, true().label("is_unread"))
        .select_from(markers)
        .join(
            Mention,
            and_(
                Mention.user_id == markers.c.user_id,
                Mention.conversation_id == markers.c.conversation_id,
                Mention.seq > markers.c.last_read_seq,
            ),
        )
        .join(Conversation, Conversation.id == Mention.conversation_id)
        .where(Mention.is_in_room)
        .order_by((Mention.message_id + 0).desc())
    )


def select_read(user_id: int) -> Select[int, Conversation, bool]:
    """Select the other mentions of a user, latest first, in the order of an index."""
    return select_mentions(user_id).where(not_(IS_UNREAD)).order_by(Mention.message_id.desc())


def _read(session: Session, user_id: int, after: MentionCursor | None, limit: int) -> MentionPage:
    rows = list[Row[int, Conversation, bool]]()
    if after is None or after.is_unread:
        rows += session.execute(_before(select_unread(user_id), after).limit(limit + 1)).all()
    if len(rows) <= limit:
        before = after if after is not None and not after.is_unread else None
        rows += session.execute(_before(select_read(user_id), before).limit(limit + 1 - len(rows))).all()
    shown = rows[:limit]
    last = shown[-1] if len(rows) > limit else None
    cursor = MentionCursor(bool(last.is_unread), last.message_id) if last else None
    return MentionPage(_load(session, shown), cursor)


def _load(session: Session, rows: Sequence[Row[*tuple[Any, ...]]]) -> Sequence[MentionOfReader]:
    messages = fetch_messages_of(session, {row.message_id: ConversationRef.of(row.Conversation) for row in rows})
    return [MentionOfReader(messages[row.message_id], row.Conversation, bool(row.is_unread)) for row in rows]


def _before(query: Select[int, Conversation, bool], cursor: MentionCursor | None) -> Select[int, Conversation, bool]:
    return query if cursor is None else query.where(Mention.message_id < cursor.message_id)
