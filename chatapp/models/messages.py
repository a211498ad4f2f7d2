"""Messages with their earlier versions, reactions and mentions."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
    text,
    true,
)
from sqlalchemy.orm import Mapped, mapped_column

from chatapp.models.base import NEVER_REUSE_IDS, Base, BigId, JsonObject, now
from chatapp.models.emoji import MAX_NAME_CHARS

_IN_ROOM: dict[str, Any] = {"sqlite_where": text("is_in_room = 1"), "postgresql_where": text("is_in_room")}
"""The condition of indexes that leave out the replies of threads: a page skips no long thread."""

_IN_THREAD: dict[str, Any] = {
    "sqlite_where": text("thread_root IS NOT NULL"),
    "postgresql_where": text("thread_root IS NOT NULL"),
}

MAX_REACTION_CHARS = MAX_NAME_CHARS + 2
"""Length of the name of a custom emoji between colons."""

RUNNING_STATES = ("queued", "streaming")
"""States of an assistant's answer that has not ended."""


class Message(Base):
    """A message in a conversation's timeline."""

    __tablename__ = "messages"
    __table_args__ = (
        UniqueConstraint("conversation_id", "seq"),
        # The idempotency key. In this order the index also finds the client ids of a batch.
        UniqueConstraint("client_id", "sender_id"),
        UniqueConstraint("conversation_id", "version"),
        # The pages and the unread counts of conversations are ranges of this index.
        Index(None, "conversation_id", "seq", **_IN_ROOM),
        # The messages of a period are a range of this index, in the order of their pages.
        Index(None, "conversation_id", "created_at", "seq", **_IN_ROOM),
        Index(None, "conversation_id", "thread_root", "seq", **_IN_THREAD),
        CheckConstraint("sender_type IN ('user', 'assistant', 'system')", name="sender_type"),
        CheckConstraint("message_type IN ('text', 'system', 'error')", name="message_type"),
        CheckConstraint("(sender_type = 'assistant') = (state IS NOT NULL)", name="has_state"),
        CheckConstraint(
            "state IN ('queued', 'streaming', 'complete', 'stopped', 'interrupted', 'failed')", name="state"
        ),
        CheckConstraint("version >= seq", name="version"),
        NEVER_REUSE_IDS,
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"))
    seq: Mapped[int] = mapped_column(BigInteger)
    """The event number of its creation, which orders the timeline."""
    version: Mapped[int] = mapped_column(BigInteger)
    """The event number of its last change."""
    sender_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    sender_type: Mapped[str] = mapped_column(String(16), default="user")
    sender_name: Mapped[str | None] = mapped_column(String(64))
    """The name of the bot or the assistant that sent it."""
    message_type: Mapped[str] = mapped_column(String(16), default="text")
    """`text`, `system` (a notice; no assistant reads it), or `error` (an answer that failed)."""
    content: Mapped[str] = mapped_column(Text)
    client_id: Mapped[str | None] = mapped_column(String(36))
    """The UUID that its sender gave it."""
    reply_to: Mapped[int | None] = mapped_column(BigInteger)
    """The `seq` of the message of its conversation that it answers, also after a cleanup has removed that one."""
    thread_root: Mapped[int | None] = mapped_column(BigInteger)
    """The `seq` of the first message of the thread that it is a reply in, also after that one was removed."""
    is_in_room: Mapped[bool] = mapped_column(server_default=true())
    """Whether the conversation's pages show it. False for a reply in a thread that was not also sent to the room."""
    asker_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    """The user who asked the question that an assistant answers."""
    state: Mapped[str | None] = mapped_column(String(16))
    """State of an assistant's answer: `queued`, `streaming`, or how it ended."""
    problem: Mapped[str | None] = mapped_column(String(300))
    """Why an assistant's answer is not complete, as users see it."""
    extra: Mapped[dict[str, Any] | None] = mapped_column("metadata", JsonObject, key="extra")
    """The metadata, which SQLAlchemy does not allow as the name of an attribute."""
    created_at: Mapped[datetime] = mapped_column(default=now)
    edited_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]


class MessageVersion(Base):
    """A text of a message that an edit has replaced."""

    __tablename__ = "message_versions"

    message_id: Mapped[int] = mapped_column(ForeignKey("messages.id", ondelete="CASCADE"), primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    """The last `version` of the message with this text."""
    content: Mapped[str] = mapped_column(Text)
    written_at: Mapped[datetime]


class Deletion(Base):
    """The content of a deleted message, kept while the deletion can be undone."""

    __tablename__ = "deletions"

    message_id: Mapped[int] = mapped_column(ForeignKey("messages.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    """The user who deleted it."""
    deleted_at: Mapped[datetime]
    removed: Mapped[dict[str, Any]] = mapped_column(JsonObject)
    """See `chatapp.timeline.deletions.remove_content`."""


class Reaction(Base):
    """A user's reaction to a message: an emoji, or the name of a custom one between colons."""

    __tablename__ = "reactions"

    message_id: Mapped[int] = mapped_column(ForeignKey("messages.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True)
    reaction: Mapped[str] = mapped_column(String(MAX_REACTION_CHARS), primary_key=True)
    created_at: Mapped[datetime] = mapped_column(default=now)


class Pin(Base):
    """A message that is pinned in its conversation."""

    __tablename__ = "pins"
    __table_args__ = (Index(None, "conversation_id", "pinned_at"),)

    message_id: Mapped[int] = mapped_column(ForeignKey("messages.id", ondelete="CASCADE"), primary_key=True)
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    """The user who pinned it."""
    pinned_at: Mapped[datetime] = mapped_column(default=now)


class Mention(Base):
    """A user mentioned in a message."""

    __tablename__ = "mentions"
    # Counting the mentions after a read marker scans a range of the first index.
    __table_args__ = (
        Index(None, "user_id", "conversation_id", "seq"),
        # The list of all mentions of a person is in the order of this one.
        Index(None, "user_id", "message_id"),
    )

    message_id: Mapped[int] = mapped_column(ForeignKey("messages.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"), index=True)
    seq: Mapped[int] = mapped_column(BigInteger)
    is_in_room: Mapped[bool] = mapped_column(default=True, server_default=true())
    """Whether it counts in the conversation, not in a thread: see `Message.is_in_room`."""


class RetiredKey(Base):
    """The key of a message that a cleanup removed, kept so that a late repetition is not stored again."""

    __tablename__ = "retired_keys"

    client_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    sender_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"), index=True)
    seq: Mapped[int] = mapped_column(BigInteger)
    retired_at: Mapped[datetime] = mapped_column(default=now, index=True)
