"""A message as the core hands it out: a value, free of sessions and requests."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from chatapp.models import Conversation, Message, RetiredKey, User


@dataclass(frozen=True, slots=True)
class Sender:
    """Who wrote a message."""

    id: int
    username: str
    name: str


@dataclass(frozen=True, slots=True)
class TimelineMessage:
    """A message with its sender and the wire name of its conversation."""

    conversation: str
    id: int | None
    seq: int | None
    version: int | None
    sender: Sender | None
    sender_type: str
    message_type: str
    content: str
    client_id: str | None
    created_at: datetime
    edited_at: datetime | None = None
    deleted_at: datetime | None = None
    is_pending: bool = False
    """Whether it waits in the spool for its number, while the database is away."""

    @classmethod
    def of(cls, message: Message, sender: Sender | None, conversation: str) -> Self:
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
        )

    @classmethod
    def removed(cls, key: RetiredKey, sender: Sender | None, conversation: str) -> Self:
        """Make the value of a message of which a cleanup left nothing but the key."""
        return cls(
            conversation=conversation,
            id=None,
            seq=key.seq,
            version=key.seq,
            sender=sender,
            sender_type="user",
            message_type="text",
            content="",
            client_id=key.client_id,
            created_at=key.retired_at,
            deleted_at=key.retired_at,
        )


@dataclass(frozen=True, slots=True)
class Head:
    """How far a conversation's timeline reaches."""

    conversation: str
    last_event: int
    floor: int

    @classmethod
    def of(cls, conversation: Conversation) -> Self:
        """Make the value of a row."""
        return cls(conversation.wire_name, conversation.last_event, conversation.floor)


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
    name = conversation.wire_name
    return [
        TimelineMessage.of(message, Sender(user.id, user.username, user.name) if user else None, name)
        for message, user in session.execute(query)
    ]
