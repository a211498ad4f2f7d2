"""Rows that only their user can read: saved messages and drafts."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from chatapp.models.base import NEVER_REUSE_IDS, Base, BigId, now


class SavedMessage(Base):
    """A message that a person has saved. The row stays when the message is deleted or removed by a cleanup."""

    __tablename__ = "saved_messages"
    __table_args__ = (
        UniqueConstraint("user_id", "conversation_id", "seq"),
        # The pages of a person's list are ranges of this index.
        Index(None, "user_id", "id"),
        NEVER_REUSE_IDS,
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    """Orders the list: what was saved last has the highest."""
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"), index=True)
    seq: Mapped[int] = mapped_column(BigInteger)
    saved_at: Mapped[datetime] = mapped_column(default=now)


class Draft(Base):
    """A text that a person has begun to write, in a conversation or in one of its threads."""

    __tablename__ = "drafts"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    conversation_id: Mapped[int] = mapped_column(
        ForeignKey("conversations.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    thread_root: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    """The `seq` of the first message of the thread; 0 for the conversation itself."""
    content: Mapped[str] = mapped_column(Text)
    version: Mapped[int] = mapped_column(BigInteger)
    """Changes with every save, and is never used again: the time of the save in microseconds, or a higher number."""
    client_id: Mapped[str | None] = mapped_column(String(36))
    """The client id of the message that the device which has saved it will send."""
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)
