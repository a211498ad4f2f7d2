"""Outgoing and incoming webhooks."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column

from chatapp.models.base import NEVER_REUSE_IDS, Base, BigId, now
from chatapp.models.encrypted import EncryptedText


class OutgoingWebhook(Base):
    """A URL to which the messages of a room are sent that mention the webhook or begin with its command."""

    __tablename__ = "outgoing_webhooks"
    __table_args__ = (
        UniqueConstraint("conversation_id", "name"),
        Index(None, "conversation_id", "command", unique=True),
        NEVER_REUSE_IDS,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(32))
    """The name by which messages mention it."""
    command: Mapped[str | None] = mapped_column(String(32))
    """The command, without its slash, that calls it too; None if it has none."""
    url: Mapped[str] = mapped_column(String(500))
    secret: Mapped[str] = mapped_column(EncryptedText("outgoing_webhooks.secret"), deferred=True)
    """Signs the deliveries, so it cannot be hashed."""
    last_error: Mapped[str | None] = mapped_column(String(250))
    """Why the last attempt failed; None if it succeeded."""
    creator_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    """The manager who created or adopted it; None if that was not recorded yet."""
    suspended_at: Mapped[datetime | None]
    """When its creator was banned or removed from the room. It is not used until another manager adopts it."""
    created_at: Mapped[datetime] = mapped_column(default=now)


class WebhookDelivery(Base):
    """A message to be sent to a webhook. The row is deleted after success or the last attempt."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (Index(None, "webhook_id", "due_at"), NEVER_REUSE_IDS)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    webhook_id: Mapped[int] = mapped_column(ForeignKey("outgoing_webhooks.id", ondelete="CASCADE"))
    message_id: Mapped[int] = mapped_column(ForeignKey("messages.id", ondelete="CASCADE"), index=True)
    attempts: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime] = mapped_column(default=now, index=True)


class IncomingWebhook(Base):
    """A secret URL at which programs post to a room, under the name of a bot."""

    __tablename__ = "incoming_webhooks"
    __table_args__ = (NEVER_REUSE_IDS,)

    id: Mapped[int] = mapped_column(primary_key=True)
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(64))
    """The name of the bot."""
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    """SHA-256 of the secret in the URL."""
    has_slack_notation: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether what it receives is converted from Slack's notation."""
    creator_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    """The manager who created or adopted it; None if that was not recorded yet."""
    suspended_at: Mapped[datetime | None]
    """When its creator was banned or removed from the room. It is not used until another manager adopts it."""
    created_at: Mapped[datetime] = mapped_column(default=now)
