"""Scheduled messages and reminders."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text, UniqueConstraint, text, true
from sqlalchemy.orm import Mapped, mapped_column

from chatapp.models.base import NEVER_REUSE_IDS, Base, BigId, now

_WAITS = text("problem IS NULL")
_IS_TO_FIRE = text("fired_at IS NULL")


class ScheduledMessage(Base):
    """A message that is to be sent at a time. Sending it removes the row, in one transaction."""

    __tablename__ = "scheduled_messages"
    __table_args__ = (
        UniqueConstraint("client_id", "user_id"),
        # The list of a person is a range of this index, and so is its number of rows.
        Index(None, "user_id", "due_at", "id"),
        # Each page of a conversation counts those of its reader there.
        Index(None, "conversation_id", "user_id"),
        Index(None, "due_at", "id", sqlite_where=_WAITS, postgresql_where=_WAITS),
        NEVER_REUSE_IDS,
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    conversation_id: Mapped[int | None] = mapped_column(ForeignKey("conversations.id", ondelete="SET NULL"))
    """None after the conversation was deleted: sending it then fails."""
    client_id: Mapped[str] = mapped_column(String(36))
    """The UUID that its author gave it, under which the message is stored once."""
    content: Mapped[str] = mapped_column(Text)
    reply_to: Mapped[int | None] = mapped_column(BigInteger)
    thread_root: Mapped[int | None] = mapped_column(BigInteger)
    is_in_room: Mapped[bool] = mapped_column(server_default=true())
    due_at: Mapped[datetime]
    problem: Mapped[str | None] = mapped_column(String(300))
    """Why it was not sent when it was due, as pages show it. It then waits until its author changes it."""
    created_at: Mapped[datetime] = mapped_column(default=now)


class Reminder(Base):
    """Something that a person wants to be reminded of at a time, perhaps a message. It is kept until it is done."""

    __tablename__ = "reminders"
    __table_args__ = (
        UniqueConstraint("client_id", "user_id"),
        Index(None, "user_id", "due_at", "id"),
        Index(None, "due_at", "id", sqlite_where=_IS_TO_FIRE, postgresql_where=_IS_TO_FIRE),
        NEVER_REUSE_IDS,
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    client_id: Mapped[str] = mapped_column(String(36))
    """The UUID under which it is stored once."""
    content: Mapped[str] = mapped_column(Text)
    """What the person has written; empty if it is only about a message."""
    conversation_id: Mapped[int | None] = mapped_column(ForeignKey("conversations.id", ondelete="SET NULL"), index=True)
    seq: Mapped[int | None] = mapped_column(BigInteger)
    """The number of the message in its conversation, also after that was removed; None if it is about none."""
    due_at: Mapped[datetime]
    fired_at: Mapped[datetime | None]
    """When the person was reminded."""
    created_at: Mapped[datetime] = mapped_column(default=now)
