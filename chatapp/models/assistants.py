"""Assistants at work, and which conversations the whole world may read."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, false, text
from sqlalchemy.orm import Mapped, mapped_column

from chatapp.models.base import NEVER_REUSE_IDS, Base, BigId, now

_IS_OPEN = text("ended_at IS NULL")


class Answer(Base):
    """One run of an assistant that fills a message: queued, under way or over."""

    __tablename__ = "answers"
    __table_args__ = (
        Index(None, "asker_id", "created_at"),
        # The few that are not over, which workers look for again and again.
        Index("ix_answers_open", "conversation_id", "id", sqlite_where=_IS_OPEN, postgresql_where=_IS_OPEN),
        NEVER_REUSE_IDS,
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    message_id: Mapped[int] = mapped_column(ForeignKey("messages.id", ondelete="CASCADE"), index=True)
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"))
    asker_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    """Whoever it reads for."""
    assistant: Mapped[str] = mapped_column(String(32))
    created_at: Mapped[datetime] = mapped_column(default=now)
    leased_until: Mapped[datetime | None]
    """Until when the process that works on it is believed to be alive; none while it is queued."""
    is_stopped: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether somebody has asked for its end."""
    ended_at: Mapped[datetime | None]


class ShareLink(Base):
    """A public address at which everybody may read a conversation."""

    __tablename__ = "share_links"

    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"), primary_key=True)
    token: Mapped[str] = mapped_column(String(64), unique=True)
    """Kept as it is: whoever may share the conversation sees the address again."""
    creator_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(default=now)
