"""Files of messages and of scheduled ones, and previews of links."""

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, Text, false, text
from sqlalchemy.orm import Mapped, mapped_column

from chatapp.models.base import Base

THUMBNAILS = ("small", "large")
"""The thumbnails that the store has of an image, and of the first page of a PDF."""

_KIND = "kind IN ('image', 'video', 'audio', 'pdf', 'text', 'other')"


class FileColumns:
    """What is known of a file: the fields of `chatapp.files.attached.AttachedFile`."""

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


class Attachment(FileColumns, Base):
    """A file of a message. Its content is in the store (`chatapp.files.store`), once for all messages that have it."""

    __tablename__ = "attachments"
    __table_args__ = (
        CheckConstraint(_KIND, name="kind"),
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
    """The user who uploaded it, in whose quota it counts; None for those of assistants' answers."""


class ScheduledFile(FileColumns, Base):
    """A file of a scheduled message. When that is sent, a row of `Attachment` replaces it."""

    __tablename__ = "scheduled_files"
    __table_args__ = (CheckConstraint(_KIND, name="kind"),)

    scheduled_id: Mapped[int] = mapped_column(ForeignKey("scheduled_messages.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """Its place among the files of the message."""


class LinkPreview(Base):
    """What a message shows of the page of a link in it. The texts are of the page, and untrusted."""

    __tablename__ = "link_previews"
    __table_args__ = (
        # A request for a picture finds it by this index.
        Index(None, "conversation_id", "picture_digest"),
    )

    message_id: Mapped[int] = mapped_column(ForeignKey("messages.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """Its place among the previews of the message."""
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"))
    url: Mapped[str] = mapped_column(String(2_000))
    """As the message has it, before redirects."""
    title: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(String(400))
    site: Mapped[str] = mapped_column(String(100))
    picture_digest: Mapped[str | None] = mapped_column(String(64), index=True)
    """That of the picture's content in the store (`chatapp.files.store`), if it has one."""
    picture_width: Mapped[int | None]
    picture_height: Mapped[int | None]
    picture_placeholder: Mapped[str | None] = mapped_column(String(2_000))
    picture_alt: Mapped[str] = mapped_column(String(400), default="", server_default=text("''"))
