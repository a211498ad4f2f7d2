"""A message as the core hands it out: a value, free of sessions and requests."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from chatapp.conversations.names import ConversationName
from chatapp.conversations.people import Person
from chatapp.models import Conversation, Message, Reaction, RetiredKey, User, now
from chatapp.timeline.mentions import fetch_mentions


@dataclass(frozen=True, slots=True)
class ReactionGroup:
    """One emoji under a message, and whom it is from."""

    reaction: str
    users: tuple[Person, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineMessage:
    """A message with its sender and the name of its conversation."""

    conversation: ConversationName
    id: int | None = None
    seq: int | None = None
    version: int | None = None
    sender: Person | None = None
    sender_type: str = "user"
    message_type: str = "text"
    content: str
    client_id: str | None = None
    created_at: datetime
    edited_at: datetime | None = None
    deleted_at: datetime | None = None
    is_pending: bool = False
    """Whether it waits in the spool for its number, while the database is away."""
    reactions: tuple[ReactionGroup, ...] = ()
    mentions: tuple[Person, ...] = ()
    """Whom it names, by username."""
    sender_name: str | None = None
    """Who said it, where that is no person."""
    reply_to: int | None = None
    asker_id: int | None = None
    state: str | None = None
    """How far an assistant's answer has come: `queued`, `streaming`, or how it ended."""
    problem: str | None = None
    """Why an assistant's answer is not complete."""

    @classmethod
    def of(
        cls,
        message: Message,
        sender: Person | None,
        conversation: ConversationName,
        reactions: tuple[ReactionGroup, ...] = (),
        mentions: tuple[Person, ...] = (),
    ) -> Self:
        """Make the value of a row."""
        return cls(
            conversation=conversation,
            id=message.id,
            seq=message.seq,
            version=message.version,
            sender=sender,
            sender_type=message.sender_type,
            message_type=message.message_type,
            content=message.content,
            client_id=message.client_id,
            created_at=message.created_at,
            edited_at=message.edited_at,
            deleted_at=message.deleted_at,
            reactions=reactions,
            mentions=mentions,
            sender_name=message.sender_name,
            reply_to=message.reply_to,
            asker_id=message.asker_id,
            state=message.state,
            problem=message.problem,
        )

    @classmethod
    def removed(cls, key: RetiredKey, sender: Person | None, conversation: ConversationName) -> Self:
        """Make the value of a message of which a cleanup left nothing but the key."""
        return cls(
            conversation=conversation,
            seq=key.seq,
            version=key.seq,
            sender=sender,
            content="",
            client_id=key.client_id,
            created_at=key.retired_at,
            deleted_at=key.retired_at,
        )


@dataclass(frozen=True, slots=True)
class Head:
    """How far a conversation's timeline reaches."""

    conversation: ConversationName
    last_event: int
    floor: int

    @classmethod
    def of(cls, conversation: Conversation) -> Self:
        """Make the value of a row."""
        return cls(ConversationName.of(conversation), conversation.last_event, conversation.floor)


def next_seq(conversation: Conversation) -> int:
    """Give the number of the conversation's next event. The row must be locked."""
    conversation.last_event += 1
    conversation.updated_at = now()
    return conversation.last_event


def select_messages(conversation: Conversation) -> Select[Message, User]:
    """Select the conversation's messages with their senders."""
    return (
        select(Message, User)
        .outerjoin(User, User.id == Message.sender_id)
        .where(Message.conversation_id == conversation.id)
    )


def fetch_messages(
    session: Session, query: Select[Message, User], conversation: Conversation
) -> Sequence[TimelineMessage]:
    """Run a query made by `select_messages` and give its messages as values."""
    name = ConversationName.of(conversation)
    rows = session.execute(query).all()
    reactions = _fetch_reactions(session, [message.id for message, _ in rows])
    mentions = fetch_mentions(session, [message.id for message, _ in rows if "@" in message.content])
    return [
        TimelineMessage.of(
            message,
            Person.of(user) if user else None,
            name,
            reactions.get(message.id, ()),
            mentions.get(message.id, ()),
        )
        for message, user in rows
    ]


def fetch_message(session: Session, conversation: Conversation, message_id: int) -> TimelineMessage:
    """Give one message of the conversation as a value."""
    (message,) = fetch_messages(session, select_messages(conversation).where(Message.id == message_id), conversation)
    return message


def _fetch_reactions(session: Session, message_ids: Sequence[int]) -> dict[int, tuple[ReactionGroup, ...]]:
    """Give the reactions under the messages: the emoji by its first use, the people by theirs."""
    groups: dict[int, dict[str, list[Person]]] = {}
    for reaction, user in session.execute(
        select(Reaction, User)
        .join(User, User.id == Reaction.user_id)
        .where(Reaction.message_id.in_(message_ids))
        .order_by(Reaction.created_at, Reaction.user_id)
    ):
        users = groups.setdefault(reaction.message_id, {}).setdefault(reaction.reaction, [])
        users.append(Person.of(user))
    return {
        message_id: tuple(ReactionGroup(reaction, tuple(users)) for reaction, users in by_reaction.items())
        for message_id, by_reaction in groups.items()
    }
