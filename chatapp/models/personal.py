"""What only one person sees: the messages that they have saved."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, UniqueConstraint
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
