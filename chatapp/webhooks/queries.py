"""Queries of webhooks."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from chatapp.credentials import has_outgoing_webhooks
from chatapp.models import Conversation, IncomingWebhook, OutgoingWebhook, WebhookDelivery, now
from chatapp.tokens import hash_token


def list_outgoing(session: Session, room: Conversation) -> Sequence[OutgoingWebhook]:
    """List a room's outgoing webhooks by name."""
    return session.scalars(
        select(OutgoingWebhook).where(OutgoingWebhook.conversation_id == room.id).order_by(OutgoingWebhook.name)
    ).all()


def list_incoming(session: Session, room: Conversation) -> Sequence[IncomingWebhook]:
    """List a room's incoming webhooks by the bot's name."""
    return session.scalars(
        select(IncomingWebhook)
        .where(IncomingWebhook.conversation_id == room.id)
        .order_by(IncomingWebhook.name, IncomingWebhook.id)
    ).all()


def find_incoming_id(session: Session, token: str) -> int | None:
    """Return the id of the incoming webhook with this token, or None."""
    return session.scalars(
        select(IncomingWebhook.id).where(IncomingWebhook.token_hash == hash_token(token))
    ).one_or_none()


def is_sending(session: Session) -> bool:
    """Return whether messages are sent to outgoing webhooks, which admins can switch off."""
    return session.scalars(select(has_outgoing_webhooks())).one()


def is_delivery_due(session: Session) -> bool:
    """Return whether a delivery is due now."""
    due = select(WebhookDelivery.id).where(WebhookDelivery.due_at <= now()).limit(1)
    return session.scalars(due).first() is not None
