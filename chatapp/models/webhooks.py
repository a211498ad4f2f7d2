"""Programs outside: those that hear of messages, and those that post them."""

from datetime import datetime

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from chatapp.models.base import NEVER_REUSE_IDS, Base, BigId, now


class OutgoingWebhook(Base):
    """An address that a room's messages are sent to when they name it."""

    __tablename__ = "outgoing_webhooks"
    __table_args__ = (UniqueConstraint("conversation_id", "name"), NEVER_REUSE_IDS)

    id: Mapped[int] = mapped_column(primary_key=True)
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(32))
    """What stands after the “@”."""
    url: Mapped[str] = mapped_column(String(500))
    secret: Mapped[str] = mapped_column(String(64))
    """Signs what is sent. It has to be known here, so it is no hash."""
    last_error: Mapped[str | None] = mapped_column(String(250))
    """Why the last attempt failed; none after one that did not."""
    created_at: Mapped[datetime] = mapped_column(default=now)


class WebhookDelivery(Base):
    """A message on its way to a webhook; the row goes when it has arrived, or when it is given up."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (NEVER_REUSE_IDS,)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    webhook_id: Mapped[int] = mapped_column(ForeignKey("outgoing_webhooks.id", ondelete="CASCADE"), index=True)
    message_id: Mapped[int] = mapped_column(ForeignKey("messages.id", ondelete="CASCADE"), index=True)
    attempts: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime] = mapped_column(default=now, index=True)


class IncomingWebhook(Base):
    """An address of ours at which whoever knows it posts to a room, under a bot's name."""

    __tablename__ = "incoming_webhooks"
    __table_args__ = (NEVER_REUSE_IDS,)

    id: Mapped[int] = mapped_column(primary_key=True)
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(64))
    """The bot's."""
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    """SHA-256 of the secret in the address."""
    created_at: Mapped[datetime] = mapped_column(default=now)
