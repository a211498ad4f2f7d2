"""The mentions of one person in all their conversations: first those that are unread, then the others, latest first."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import and_, case, or_, select
from sqlalchemy.orm import Session

from chatapp.conversations.refs import ConversationRef
from chatapp.models import Conversation, Membership, Mention
from chatapp.storage import read_natively
from chatapp.timeline.messages import TimelineMessage, fetch_messages_of


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


def _read(session: Session, user_id: int, after: MentionCursor | None, limit: int) -> MentionPage:
    # A thread has unread counts of its own, which the read marker of the conversation does not change.
    is_unread = and_(Mention.is_in_room, Mention.seq > Membership.last_read_seq)
    query = (
        select(Mention.message_id, Conversation, is_unread.label("is_unread"))
        .join(
            Membership,
            and_(Membership.conversation_id == Mention.conversation_id, Membership.user_id == Mention.user_id),
        )
        .join(Conversation, Conversation.id == Mention.conversation_id)
        .where(Mention.user_id == user_id)
        .order_by(case((is_unread, 0), else_=1), Mention.message_id.desc())
        .limit(limit + 1)
    )
    if after is not None:
        is_older = Mention.message_id < after.message_id
        follows = or_(~is_unread, is_older) if after.is_unread else and_(~is_unread, is_older)
        query = query.where(follows)
    rows = session.execute(query).all()
    shown = rows[:limit]
    messages = fetch_messages_of(session, {row.message_id: ConversationRef.of(row.Conversation) for row in shown})
    mentions = [MentionOfReader(messages[row.message_id], row.Conversation, bool(row.is_unread)) for row in shown]
    last = shown[-1] if len(rows) > limit else None
    return MentionPage(mentions, MentionCursor(bool(last.is_unread), last.message_id) if last else None)
