"""Custom emoji."""

from datetime import datetime

from sqlalchemy import ForeignKey, String, false
from sqlalchemy.orm import Mapped, mapped_column

from chatapp.models.base import Base, now

MAX_NAME_CHARS = 64


class CustomEmoji(Base):
    """An emoji that an admin has uploaded. Its image is in the store (`chatapp.files.store`)."""

    __tablename__ = "custom_emoji"

    name: Mapped[str] = mapped_column(String(MAX_NAME_CHARS), primary_key=True)
    """Without colons."""
    digest: Mapped[str] = mapped_column(String(64), index=True)
    media_type: Mapped[str] = mapped_column(String(100))
    width: Mapped[int]
    height: Mapped[int]
    is_animated: Mapped[bool] = mapped_column(default=False, server_default=false())
    created_by: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=now)
