"""Queries of webhooks."""

from collections.abc import Collection, Sequence

from sqlalchemy import func, select
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


def list_due_deliveries(
    session: Session, *, limit: int, only: Collection[int] | None = None, without: Collection[int] = ()
) -> Sequence[tuple[int, int]]:
    """List the oldest due delivery of each webhook, as the ids of the webhook and of the delivery.

    Consider `only` these webhooks, and never those in `without`. Of more than `limit` webhooks, some are chosen at
    random: one with a long queue has no precedence.
    """
    oldest = (
        select(WebhookDelivery.id)
        .where(WebhookDelivery.webhook_id == OutgoingWebhook.id, WebhookDelivery.due_at <= now())
        .order_by(WebhookDelivery.due_at, WebhookDelivery.id)
        .limit(1)
        .correlate(OutgoingWebhook)
        .scalar_subquery()
    )
    query = select(OutgoingWebhook.id, oldest.label("delivery_id")).where(OutgoingWebhook.id.not_in(without))
    if only is not None:
        query = query.where(OutgoingWebhook.id.in_(only))
    due = query.subquery()
    rows = session.execute(
        select(due.c.id, due.c.delivery_id)
        .where(due.c.delivery_id.is_not(None))
        .order_by(func.random())
        .limit(max(limit, 0))
    )
    return [(webhook_id, delivery_id) for webhook_id, delivery_id in rows]
