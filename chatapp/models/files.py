"""Files of messages."""

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, Text, false
from sqlalchemy.orm import Mapped, mapped_column

from chatapp.models.base import Base


class Attachment(Base):
    """A file of a message. Its content is in the store (`chatapp.files.store`), once for all messages that have it."""

    __tablename__ = "attachments"
    __table_args__ = (
        CheckConstraint("kind IN ('image', 'video', 'audio', 'pdf', 'text', 'other')", name="kind"),
        # A request for a file finds it by the first index, the list of a conversation's files by the second.
        Index(None, "conversation_id", "digest"),
        Index(None, "conversation_id", "message_id"),
        # The sum of a person's files.
        Index(None, "user_id", "size"),
    )

    message_id: Mapped[int] = mapped_column(ForeignKey("messages.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """Its place among the files of the message, from 0."""
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    """The user who uploaded it."""
    digest: Mapped[str] = mapped_column(String(64), index=True)
    name: Mapped[str] = mapped_column(String(255))
    media_type: Mapped[str] = mapped_column(String(100))
    kind: Mapped[str] = mapped_column(String(16))
    size: Mapped[int] = mapped_column(BigInteger)
    width: Mapped[int | None]
    height: Mapped[int | None]
    is_animated: Mapped[bool] = mapped_column(default=False, server_default=false())
    placeholder: Mapped[str | None] = mapped_column(String(2_000))
    preview: Mapped[str | None] = mapped_column(Text)
    alt: Mapped[str] = mapped_column(String(1_000), default="")
