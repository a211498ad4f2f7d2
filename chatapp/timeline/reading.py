"""Reading a timeline: its last page, older pages, and what a client missed."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.orm import Session, aliased

from chatapp.conversations.names import ConversationName
from chatapp.conversations.people import Person
from chatapp.errors import NotFound
from chatapp.models import Conversation, Message, User
from chatapp.storage import read_natively
from chatapp.timeline.epoch import get_epoch
from chatapp.timeline.messages import (
    Head,
    TimelineMessage,
    fetch_messages,
    select_messages,
)

PAGE = 10
"""Messages on a conversation's page before the socket takes over."""

OLDER = 50
"""Messages that one step back in the history brings."""

CATCH_UP = 200
"""Messages in one answer of a catch-up at the most."""

CATCH_UP_BOUND = 2_000
"""Events behind which a client starts from the last page instead of catching up."""


@dataclass(frozen=True, slots=True)
class Page:
    """A stretch of a timeline, oldest first."""

    messages: Sequence[TimelineMessage]
    has_older: bool
    has_newer: bool = False

    @property
    def oldest_seq(self) -> int | None:
        """The cursor for the page before this one."""
        return self.messages[0].seq if self.messages else None


@dataclass(frozen=True, slots=True)
class CatchUp:
    """What a client that knows the timeline up to some event has missed.

    The messages that were posted or changed in the events after `start` up to `end`, in the order of their versions.
    What is absent there is gone. With `is_reset` the cursor could not be continued: the messages are the last page.
    """

    head: Head
    epoch: str
    start: int
    end: int
    is_reset: bool
    messages: Sequence[TimelineMessage]

    @property
    def has_more(self) -> bool:
        """Whether the range ends before the head."""
        return self.end < self.head.last_event


def page(
    session: Session,
    conversation: Conversation,
    *,
    before: int | None = None,
    after: int | None = None,
    limit: int = PAGE,
) -> Page:
    """Give the last `limit` messages, or those before the message numbered `before`.

    With `after` it gives the first ones after that number, up to `before` if there is one.
    Found by key: it costs the same in a conversation of ten messages and of ten million. The event loop goes on
    meanwhile.
    """
    return read_natively(
        session, lambda reading: _read_page(reading, conversation, before=before, after=after, limit=limit)
    )


def _read_page(
    session: Session, conversation: Conversation, *, before: int | None, after: int | None, limit: int
) -> Page:
    query = select_messages(conversation).limit(limit + 1)
    if before is not None:
        query = query.where(Message.seq < before)
    has_newer = before is not None and _has_any(session, conversation, Message.seq >= before)
    if after is None:
        newest_first = fetch_messages(session, query.order_by(Message.seq.desc()), conversation)
        return Page(newest_first[:limit][::-1], has_older=len(newest_first) > limit, has_newer=has_newer)
    messages = fetch_messages(session, query.where(Message.seq > after).order_by(Message.seq), conversation)
    has_older = _has_any(session, conversation, Message.seq <= after)
    return Page(messages[:limit], has_older, has_newer=has_newer or len(messages) > limit)


def get_message(session: Session, conversation: Conversation, seq: int) -> TimelineMessage:
    """Give the message of that number. Raises `NotFound`."""
    found = fetch_messages(session, select_messages(conversation).where(Message.seq == seq), conversation)
    if not found:
        raise NotFound("There is no such message.")
    return found[0]


def last_messages(session: Session, conversations: Sequence[Conversation]) -> dict[str, TimelineMessage]:
    """Give the last message of each conversation that has one, by the conversation's wire name."""
    other = aliased(Message)
    last_seq = select(func.max(other.seq)).where(other.conversation_id == Conversation.id).scalar_subquery()
    rows = session.execute(
        select(Conversation, Message, User)
        .select_from(Conversation)
        .join(Message, and_(Message.conversation_id == Conversation.id, Message.seq == last_seq))
        .outerjoin(User, User.id == Message.sender_id)
        .where(Conversation.id.in_([conversation.id for conversation in conversations]))
    )
    return {
        conversation.wire_name: TimelineMessage.of(
            message, Person.of(user) if user else None, ConversationName.of(conversation)
        )
        for conversation, message, user in rows
    }


def catch_up(session: Session, conversation: Conversation, *, after: int | None, epoch: str | None = None) -> CatchUp:
    """Give what happened after the event `after`, or the last page where that cannot be told (`is_reset`)."""
    current = get_epoch(session)
    head = Head.of(conversation)
    if after is None or not _can_continue(head, after) or epoch not in {None, current}:
        messages = page(session, conversation).messages
        return CatchUp(head, current, 0, head.last_event, is_reset=True, messages=messages)
    messages = list_events(session, conversation, after=after)
    end = head.last_event
    if len(messages) == CATCH_UP:
        end = messages[-1].version or end
    return CatchUp(head, current, after, end, is_reset=False, messages=messages)


def list_events(session: Session, conversation: Conversation, *, after: int) -> Sequence[TimelineMessage]:
    """Give the first `CATCH_UP` messages that were posted or changed after an event, in the order of their versions."""
    query = select_messages(conversation).where(Message.version > after).order_by(Message.version)
    return read_natively(session, lambda reading: fetch_messages(reading, query.limit(CATCH_UP), conversation))


def _can_continue(head: Head, after: int) -> bool:
    # A cursor beyond the head comes from before a backup was restored.
    return head.floor <= after <= head.last_event and head.last_event - after <= CATCH_UP_BOUND


def list_heads(session: Session, conversation_ids: Sequence[int]) -> Sequence[Head]:
    """Give the heads of the conversations."""
    return [
        Head.of(conversation)
        for conversation in session.scalars(select(Conversation).where(Conversation.id.in_(conversation_ids)))
    ]


def _has_any(session: Session, conversation: Conversation, is_there: ColumnElement[bool]) -> bool:
    query = select(Message.seq).where(Message.conversation_id == conversation.id, is_there).limit(1)
    return session.execute(query).one_or_none() is not None


def count_messages(session: Session, conversation: Conversation) -> int:
    """Count the conversation's messages."""
    return session.scalars(select(func.count()).where(Message.conversation_id == conversation.id)).one()
