"""Threads: what is stored besides their messages."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, String, true
from sqlalchemy.orm import Mapped, mapped_column

from chatapp.models.base import Base


class Thread(Base):
    """The replies to one message, its root. A cleanup may remove the root earlier than the last replies."""

    __tablename__ = "threads"

    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"), primary_key=True)
    root_seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    reply_count: Mapped[int] = mapped_column(BigInteger)
    """Number of replies that exist and are not deleted."""
    last_seq: Mapped[int] = mapped_column(BigInteger)
    """The `seq` of the last reply, deleted or not; that of the root while there is none."""
    last_reply_at: Mapped[datetime | None]
    """Time of the last reply that is not deleted."""
    last_people: Mapped[str] = mapped_column(String(60), default="")
    """The ids of the people who have replied last, the last one first, separated by commas."""


class ThreadMember(Base):
    """How one person relates to a thread."""

    __tablename__ = "thread_members"
    __table_args__ = (Index(None, "user_id", "conversation_id", "root_seq"),)

    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"), primary_key=True)
    root_seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    is_following: Mapped[bool] = mapped_column(default=True, server_default=true())
    last_read_seq: Mapped[int] = mapped_column(BigInteger)
    """The read marker: `seq` of the last message of the thread that they have read."""
