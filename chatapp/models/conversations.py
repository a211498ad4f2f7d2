"""Conversations, memberships and blocks."""

from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, Text, false, text
from sqlalchemy.orm import Mapped, mapped_column

from chatapp.models.base import NEVER_REUSE_IDS, Base, JsonObject, now

GENERAL_ID = 1
"""The id of the general chat, whose row the first migration inserts."""

CACHED_WIRE_NAMES = 1_000

_IS_SHARED = text("kind = 'assistant' AND visibility = 'open'")


@lru_cache(CACHED_WIRE_NAMES)
def format_wire_name(kind: str, conversation_id: int) -> str:
    """Return the wire name of the conversation with this kind and id: see `ConversationRef`."""
    return kind if kind == "general" else f"{kind}_{conversation_id}"


class Conversation(Base):
    """The general chat, a room, a direct conversation or a conversation with an assistant.

    `chatapp.conversations.kinds` describes how they differ.
    """

    __tablename__ = "conversations"
    __table_args__ = (
        CheckConstraint("kind IN ('general', 'room', 'direct', 'assistant')", name="kind"),
        CheckConstraint("visibility IN ('open', 'private')", name="visibility"),
        CheckConstraint("(kind = 'direct') = (direct_key IS NOT NULL)", name="direct_key"),
        CheckConstraint("(kind = 'assistant') = (assistant IS NOT NULL)", name="assistant"),
        Index(
            "uq_conversations_shared_assistant",
            "assistant",
            unique=True,
            sqlite_where=_IS_SHARED,
            postgresql_where=_IS_SHARED,
        ),
        CheckConstraint(f"(kind = 'general') = (id = {GENERAL_ID})", name="general"),
        Index(None, "avatar_digest"),
        NEVER_REUSE_IDS,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    name: Mapped[str] = mapped_column(String(80))
    topic: Mapped[str] = mapped_column(String(250), default="")
    visibility: Mapped[str] = mapped_column(String(16), default="open")
    direct_key: Mapped[str | None] = mapped_column(String(120), unique=True)
    """The sorted user ids of a direct conversation, separated by “:”. One conversation for each set of users."""
    assistant: Mapped[str | None] = mapped_column(String(32))
    """The key of the assistant: its name in lower case."""
    avatar_digest: Mapped[str | None] = mapped_column(String(64))
    """The picture of a room, or of the assistant of a shared conversation, in the store of files."""
    creator_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    last_event: Mapped[int] = mapped_column(BigInteger, default=0)
    """The last event number: see `chatapp.timeline.event_numbers`."""
    message_count: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    """Number of messages, updated with each insertion and removal so that they need not be counted."""
    floor: Mapped[int] = mapped_column(BigInteger, default=0)
    """A cleanup has removed the messages up to this `seq`."""
    extra: Mapped[dict[str, Any] | None] = mapped_column("metadata", JsonObject, key="extra")
    """The metadata of an assistant session."""
    reset_event: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    """A cursor before this event cannot be continued: up to it, removed messages were restored."""
    indexed_event: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    """The last event up to which the search index has the messages. It is behind `last_event` after a process of a
    version without the index, or with another tokenizer, has written an event."""
    indexed_tokenizer: Mapped[int] = mapped_column(default=0, server_default="0")
    """The `TOKENIZER_VERSION` that has computed the tokens up to `indexed_event`."""
    category: Mapped[str | None] = mapped_column(String(40))
    """The category of an assistant session."""
    tags: Mapped[str | None] = mapped_column(String(400))
    """The tags of an assistant session, separated by commas."""
    prompt: Mapped[str | None] = mapped_column(Text, deferred=True)
    """The prompt of the template that an assistant session began with, added to that of the assistant."""
    pinned_at: Mapped[datetime | None]
    """When an assistant session was pinned to the beginning of lists."""
    created_at: Mapped[datetime] = mapped_column(default=now, index=True)
    updated_at: Mapped[datetime] = mapped_column(default=now, index=True)
    ended_at: Mapped[datetime | None]
    """When a room was archived or a session with an assistant ended."""

    @property
    def wire_name(self) -> str:
        """The text that identifies the conversation in the protocol, such as `room_26`."""
        return format_wire_name(self.kind, self.id)

    @property
    def is_private(self) -> bool:
        """Whether only invited users may see it."""
        return self.visibility == "private"

    @property
    def is_archived(self) -> bool:
        """Whether it is read-only."""
        return self.ended_at is not None


class Membership(Base):
    """A user's membership in a conversation. Every user is a member of the general chat."""

    __tablename__ = "memberships"
    __table_args__ = (CheckConstraint("role IN ('member', 'manager')", name="role"),)

    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True)
    role: Mapped[str] = mapped_column(String(16), default="member")
    created_at: Mapped[datetime] = mapped_column(default=now)
    last_read_seq: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    """The read marker: `seq` of the last message that the user has read."""
    is_blocked: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether the user may not post, because the other user of a direct conversation blocks them."""


class ConversationPreference(Base):
    """What a user has set for a conversation. Without a row they have set nothing."""

    __tablename__ = "conversation_preferences"
    __table_args__ = (
        CheckConstraint("notification_level IN ('all', 'mentions', 'nothing')", name="notification_level"),
    )

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    conversation_id: Mapped[int] = mapped_column(
        ForeignKey("conversations.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    notification_level: Mapped[str | None] = mapped_column(String(16))
    """Of which new messages they are notified; by default that depends on the kind of conversation."""
    is_muted: Mapped[bool] = mapped_column(default=False)
    """Whether its unread messages are not pointed out."""
    is_favorite: Mapped[bool] = mapped_column(default=False)
    """Whether the sidebar shows it among the favorites."""


class Block(Base):
    """A user who accepts no direct messages from another user."""

    __tablename__ = "blocks"

    blocker_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    blocked_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True)
    created_at: Mapped[datetime] = mapped_column(default=now)
