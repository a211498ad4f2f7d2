"""Where people talk, and who belongs there."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, false, text
from sqlalchemy.orm import Mapped, mapped_column

from chatapp.models.base import NEVER_REUSE_IDS, Base, now

GENERAL_ID = 1
"""The general chat's row, which the first migration makes."""

_IS_SHARED = text("kind = 'assistant' AND visibility = 'open'")


def format_wire_name(kind: str, conversation_id: int) -> str:
    """Return the name on the wire of the conversation with this kind and id."""
    return kind if kind == "general" else f"{kind}_{conversation_id}"


class Conversation(Base):
    """A place where people talk: the general chat, a room, a direct conversation or a talk with an assistant.

    All have one kind of timeline. An assistant's open conversation is everybody's, there is one for each assistant; the
    private ones are people's own sessions.
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
        NEVER_REUSE_IDS,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    name: Mapped[str] = mapped_column(String(80))
    topic: Mapped[str] = mapped_column(String(250), default="")
    visibility: Mapped[str] = mapped_column(String(16), default="open")
    direct_key: Mapped[str | None] = mapped_column(String(120), unique=True)
    """The ids of a direct conversation's people, ascending, with “:” between: one conversation for each set."""
    assistant: Mapped[str | None] = mapped_column(String(32))
    """The name of the assistant that answers here."""
    creator_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    last_event: Mapped[int] = mapped_column(BigInteger, default=0)
    """How many events the timeline has had; each change takes the next number, in its own transaction."""
    message_count: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    """How many messages the timeline has: raised and lowered with them, so that nobody need count."""
    floor: Mapped[int] = mapped_column(BigInteger, default=0)
    """Messages up to this `seq` were removed by a cleanup."""
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now)
    ended_at: Mapped[datetime | None]
    """When a room was archived, or a session with an assistant ended."""

    @property
    def wire_name(self) -> str:
        """The conversation's name on the wire: `general`, `room_26`, `direct_7`, `assistant_9`."""
        return format_wire_name(self.kind, self.id)

    @property
    def is_private(self) -> bool:
        """Whether one comes in by invitation only."""
        return self.visibility == "private"

    @property
    def is_archived(self) -> bool:
        """Whether it is read only for good."""
        return self.ended_at is not None


class Membership(Base):
    """One person's place in one conversation. In the general chat everybody has one."""

    __tablename__ = "memberships"
    __table_args__ = (CheckConstraint("role IN ('member', 'manager')", name="role"),)

    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True)
    role: Mapped[str] = mapped_column(String(16), default="member")
    created_at: Mapped[datetime] = mapped_column(default=now)
    last_read_seq: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    """The number of the last message that the person has read."""
    is_blocked: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether the person may not write here, since the other one of two blocks them."""


class Block(Base):
    """One person wants no direct messages from another one."""

    __tablename__ = "blocks"

    blocker_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    blocked_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True)
    created_at: Mapped[datetime] = mapped_column(default=now)
