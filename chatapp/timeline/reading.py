"""Reading a timeline: pages, and the catch-up of a client that missed events. All of it is keyset pagination."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Self

from sqlalchemy import BigInteger, ColumnElement, and_, bindparam, func, select
from sqlalchemy.orm import Session, aliased

from chatapp.conversations.kinds import kind_of
from chatapp.conversations.people import Person
from chatapp.conversations.refs import ConversationRef
from chatapp.errors import NotFound
from chatapp.files.rows import fetch_files
from chatapp.models import Conversation, Message, User
from chatapp.storage import ReadStatement, read_from_replica
from chatapp.timeline.epoch import get_epoch
from chatapp.timeline.known_messages import fetch_known, select_keys
from chatapp.timeline.messages import Head, TimelineMessage, fetch_messages, fetch_roots, select_messages
from chatapp.timeline.periods import Range, find_position_after, find_position_of
from chatapp.timeline.sizes import MAX_LISTED_CHARS, limit_size

SCROLLED_PAGE_SIZE = 50
"""Number of messages that are loaded when a user scrolls back or forth."""

MESSAGES_BEFORE_TARGET, MESSAGES_AFTER_TARGET = 20, 30
"""Number of messages that are read around one: more than fit on a screen."""

CATCH_UP_SIZE = 200
"""Maximum number of messages in one catch-up result."""

MAX_CATCH_UP_EVENTS = 2_000
"""Maximum number of events that a client can catch up; one that is further behind starts from the last page."""


_NO_BOUND = 2**63 - 1
"""Above every event number."""

_SEQ, _VERSION = Message.__table__.c.seq, Message.__table__.c.version

_IS_IN_ROOM = Message.__table__.c.is_in_room

_IN_THREAD = Message.__table__.c.thread_root == bindparam("root", type_=BigInteger())

_FIRST, _LAST = select_keys(_SEQ, _IS_IN_ROOM), select_keys(_SEQ, _IS_IN_ROOM, is_descending=True)
"""The messages that pages show. A catch-up has also the replies that only their threads show."""

_FIRST_REPLIES, _LAST_REPLIES = select_keys(_SEQ, _IN_THREAD), select_keys(_SEQ, _IN_THREAD, is_descending=True)

_EVENTS = select_keys(_VERSION)


@dataclass(frozen=True, slots=True)
class Page:
    """Consecutive messages of a timeline, oldest first."""

    messages: Sequence[TimelineMessage]
    has_older: bool
    has_newer: bool = False

    @property
    def oldest_seq(self) -> int | None:
        """The cursor of the page before this one."""
        return self.messages[0].seq if self.messages else None

    @property
    def newest_seq(self) -> int | None:
        """The cursor of the page after this one."""
        return self.messages[-1].seq if self.messages else None


@dataclass(frozen=True, slots=True)
class CatchUp:
    """The messages that were posted or changed after the event `start`, up to `end`, in the order of their versions.

    If an event number of this range is no message's version, its message was removed or has changed again later. With
    `is_reset` the client's cursor could not be continued: the messages are the last page.
    """

    head: Head
    epoch: str
    start: int
    end: int
    is_reset: bool
    is_cut: bool
    """Whether there are fewer messages than requested, because they are long."""
    messages: Sequence[TimelineMessage]

    @classmethod
    def of_events(cls, head: Head, epoch: str, after: int, changed: Sequence[TimelineMessage]) -> Self:
        """Create the value from the messages of the first events after `after`; it has fewer if they are long."""
        messages = limit_size(changed)
        end = head.last_event
        if len(changed) == CATCH_UP_SIZE or len(messages) < len(changed):
            end = messages[-1].version or end
        is_cut = len(messages) < len(changed)
        return cls(head, epoch, after, end, is_reset=False, is_cut=is_cut, messages=messages)

    @classmethod
    def of_last_page(cls, head: Head, epoch: str, page: Sequence[TimelineMessage]) -> Self:
        """Create the reset to the last messages; it has fewer if they are long."""
        messages = limit_size(page, keeps_last=True)
        is_cut = len(messages) < len(page)
        return cls(head, epoch, 0, head.last_event, is_reset=True, is_cut=is_cut, messages=messages)

    @property
    def has_more(self) -> bool:
        """Whether there are events after `end`."""
        return self.end < self.head.last_event


def read_page(
    session: Session,
    conversation: Conversation,
    *,
    before: int | None = None,
    after: int | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int,
) -> Page:
    """Return the last `limit` messages of the room with a `seq` below `before`.

    Replies in threads that were not also sent to the room are on the pages of `read_thread`.

    With `after`, return the first ones with a `seq` above it and below `before` instead. With `since` or `until`, only
    messages of this period are returned, in the order of their times; `before` and `after` are messages in this order.
    The cost depends neither on the length of the timeline nor on that of the period.

    Other pages than the latest may come from the replica.
    """

    def accepts(page: Page) -> bool:
        return _is_authorized(conversation, page.messages)

    def read(session: Session) -> Page:
        return _read_page(session, conversation, before=before, after=after, limit=limit)

    if since is not None or until is not None:
        period = Range.of(since, until)
        return read_from_replica(
            session,
            lambda reading: _read_period(reading, conversation, period, before=before, after=after, limit=limit),
            accepts=accepts,
        )
    if before is None and after is None:
        return read(session)
    return read_from_replica(session, read, accepts=accepts, is_native=False)


def read_around(session: Session, conversation: Conversation, seq: int) -> Page:
    """Return the messages before and after the number `seq`, whether a message has it or not.

    They may come from the replica.
    """

    def read(session: Session) -> Page:
        older = _read_page(session, conversation, before=seq, after=None, limit=MESSAGES_BEFORE_TARGET)
        newer = _read_page(session, conversation, before=None, after=seq - 1, limit=MESSAGES_AFTER_TARGET)
        return Page([*older.messages, *newer.messages], older.has_older, newer.has_newer)

    return read_from_replica(
        session, read, accepts=lambda page: _is_authorized(conversation, page.messages), is_native=False
    )


def read_context(session: Session, conversation: Conversation, seq: int) -> Sequence[TimelineMessage]:
    """Return a message with the ones before and after it, in its thread if it is a reply that only the thread shows.

    The first message of the thread comes first. Raises `NotFound` if there is no such message, or it was deleted.
    """
    message = get_message(session, conversation, seq)
    if message.deleted_at is not None:
        raise NotFound("This message was deleted.")
    root = None if message.is_in_room else message.thread_root
    if root is None:
        older = read_page(session, conversation, before=seq, limit=1).messages
        newer = read_page(session, conversation, after=seq, limit=1).messages
        return *older, message, *newer
    older = read_thread(session, conversation, root, before=seq, limit=1).messages
    newer = read_thread(session, conversation, root, after=seq, limit=1).messages
    first = find_root(session, conversation, root)
    return *([first] if first else []), *older, message, *newer


def find_first_since(session: Session, conversation: Conversation, moment: datetime) -> int | None:
    """Return the number of the first message of a moment or after it. None if there is none."""
    start = Range.of(moment, None)
    query = select(Message.seq).where(Message.conversation_id == conversation.id, start.condition(), Message.is_in_room)
    return session.execute(query.order_by(Message.created_at, Message.seq).limit(1)).scalar_one_or_none()


def _read_page(
    session: Session, conversation: Conversation, *, before: int | None, after: int | None, limit: int
) -> Page:
    query = _LAST if after is None else _FIRST
    keys = _execute(session, query, conversation, after=after or 0, before=before, limit=limit + 1)
    messages = fetch_known(session, conversation, keys[:limit])
    has_more = len(keys) > limit
    has_newer = before is not None and _has_any(session, conversation, Message.seq >= before)
    if after is None:
        return Page(messages[::-1], has_older=has_more, has_newer=has_newer)
    has_older = _has_any(session, conversation, Message.seq <= after)
    return Page(messages, has_older, has_newer=has_newer or has_more)


def find_root(session: Session, conversation: Conversation, root: int) -> TimelineMessage | None:
    """Return the first message of a thread; None if there is no such message, or a cleanup has removed it."""
    thread = ConversationRef.of(conversation), root
    return fetch_roots(session, [thread]).get(thread)


def read_thread(
    session: Session,
    conversation: Conversation,
    root: int,
    *,
    before: int | None = None,
    after: int | None = None,
    limit: int,
) -> Page:
    """Return replies in the thread that begins with the message `root`, like `read_page`: the root is not one."""

    def read(session: Session) -> Page:
        query = _LAST_REPLIES if after is None else _FIRST_REPLIES
        keys = _execute(session, query, conversation, after=after or 0, before=before, limit=limit + 1, root=root)
        messages, has_more = fetch_known(session, conversation, keys[:limit]), len(keys) > limit
        in_thread = Message.thread_root == root
        has_newer = before is not None and _has_any(session, conversation, Message.seq >= before, in_thread)
        if after is None:
            return Page(messages[::-1], has_older=has_more, has_newer=has_newer)
        has_older = _has_any(session, conversation, Message.seq <= after, in_thread)
        return Page(messages, has_older, has_newer=has_newer or has_more)

    if before is None and after is None:
        return read(session)
    return read_from_replica(
        session, read, accepts=lambda page: _is_authorized(conversation, page.messages), is_native=False
    )


def _execute(
    session: Session,
    statement: ReadStatement,
    conversation: Conversation,
    *,
    after: int,
    before: int | None = None,
    limit: int,
    **parameters: int,
) -> Sequence[Sequence[Any]]:
    """Execute a statement made by `select_keys`, with the parameters of its conditions."""
    end = _NO_BOUND if before is None else before
    return statement.fetch(session, conversation_id=conversation.id, after=after, before=end, limit=limit, **parameters)


def _read_period(
    session: Session, conversation: Conversation, period: Range, *, before: int | None, after: int | None, limit: int
) -> Page:
    low = None if after is None else find_position_after(session, conversation, after)
    high = None if before is None else find_position_of(session, conversation, before)
    page = Range(max(low or period.start, period.start), min(high or period.end, period.end))
    has_newer = high is not None and _has_any(session, conversation, replace(period, start=page.end).condition())
    query = select_messages(conversation).where(page.condition(), Message.is_in_room).limit(limit + 1)
    if after is None:
        newest_first = query.order_by(Message.created_at.desc(), Message.seq.desc())
        messages = fetch_messages(session, newest_first, conversation)
        return Page(messages[:limit][::-1], has_older=len(messages) > limit, has_newer=has_newer)
    messages = fetch_messages(session, query.order_by(Message.created_at, Message.seq), conversation)
    has_older = low is not None and _has_any(session, conversation, replace(period, end=page.start).condition())
    return Page(messages[:limit], has_older, has_newer=has_newer or len(messages) > limit)


def get_message(session: Session, conversation: Conversation, seq: int) -> TimelineMessage:
    """Return the message with this `seq`. Raises `NotFound`."""
    messages = fetch_messages(session, select_messages(conversation).where(Message.seq == seq), conversation)
    if not messages:
        raise NotFound("There is no such message.")
    return messages[0]


def list_last_messages(session: Session, conversations: Sequence[Conversation]) -> dict[str, TimelineMessage]:
    """Return the last message of each conversation that has one, without replies in threads, by wire name."""
    other = aliased(Message)
    is_listed = other.conversation_id == Conversation.id, other.is_in_room
    last_seq = select(func.max(other.seq)).where(*is_listed).scalar_subquery()
    rows = session.execute(
        select(Conversation, Message, User)
        .select_from(Conversation)
        .join(Message, and_(Message.conversation_id == Conversation.id, Message.seq == last_seq))
        .outerjoin(User, User.id == Message.sender_id)
        .where(Conversation.id.in_([conversation.id for conversation in conversations]))
    ).all()
    files = fetch_files(session, [message.id for _, message, _ in rows])
    return {
        conversation.wire_name: TimelineMessage.of(
            message,
            Person.of(user) if user else None,
            ConversationRef.of(conversation),
            files=files.get(message.id, ()),
        )
        for conversation, message, user in rows
    }


def catch_up(
    session: Session,
    conversation: Conversation,
    *,
    after: int | None,
    epoch: str | None = None,
    last_page_size: int | None = None,
) -> CatchUp:
    """Return the messages posted or changed after the event `after`.

    The result is a reset if `after` is None or cannot be continued, or if `epoch` is not the current one. It has the
    last `last_page_size` messages then; by default as many as pages of this kind of conversation show. In both cases
    there are fewer if they are long. The messages may come from the replica.
    """
    current_epoch = get_epoch(session)
    head = Head.of(conversation)

    def accepts(messages: Sequence[TimelineMessage]) -> bool:
        return _is_authorized(conversation, messages)

    if after is None or not _can_continue(conversation, after) or epoch not in {None, current_epoch}:
        limit = last_page_size or kind_of(conversation).last_page_size
        page = read_from_replica(
            session,
            lambda reading: _fetch_last(reading, conversation, limit=limit),
            accepts=accepts,
            is_native=False,
        )
        return CatchUp.of_last_page(head, current_epoch, page)
    changed = read_from_replica(
        session, lambda reading: _fetch_events(reading, conversation, after=after), accepts=accepts, is_native=False
    )
    return CatchUp.of_events(head, current_epoch, after, changed)


def _fetch_events(session: Session, conversation: Conversation, *, after: int) -> Sequence[TimelineMessage]:
    start = max(after, conversation.reset_event)
    keys = _execute(session, _EVENTS, conversation, after=start, limit=CATCH_UP_SIZE)
    return fetch_known(session, conversation, keys, max_chars=MAX_LISTED_CHARS)


def _fetch_last(session: Session, conversation: Conversation, *, limit: int) -> Sequence[TimelineMessage]:
    keys = _execute(session, _LAST, conversation, after=0, limit=limit)
    return fetch_known(session, conversation, keys, max_chars=MAX_LISTED_CHARS)[::-1]


def _is_authorized(conversation: Conversation, messages: Sequence[TimelineMessage]) -> bool:
    """Return whether messages from the replica are as the reader saw the conversation when they were authorized.

    The replica may be newer than that: the reader may have been removed in between, and must not see what was posted or
    edited after that.
    """
    return all((message.version or 0) <= conversation.last_event for message in messages)


def _can_continue(conversation: Conversation, after: int) -> bool:
    last_event = conversation.last_event
    # A cursor above the last event is from the time before a backup was restored.
    return (
        max(conversation.floor, conversation.reset_event) <= after <= last_event
        and last_event - after <= MAX_CATCH_UP_EVENTS
    )


def list_heads(session: Session, conversation_ids: Sequence[int]) -> Sequence[Head]:
    """Return the heads of conversations."""
    return [
        Head.of(conversation)
        for conversation in session.scalars(select(Conversation).where(Conversation.id.in_(conversation_ids)))
    ]


def _has_any(
    session: Session,
    conversation: Conversation,
    condition: ColumnElement[bool],
    is_shown: ColumnElement[bool] = _IS_IN_ROOM,
) -> bool:
    query = select(Message.seq).where(Message.conversation_id == conversation.id, condition, is_shown).limit(1)
    return session.execute(query).one_or_none() is not None
