"""Queries of webhooks."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

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


def list_commands(session: Session, room: Conversation) -> Sequence[OutgoingWebhook]:
    """List the outgoing webhooks of a room that can be called by a command now, by the command."""
    called = OutgoingWebhook.command.is_not(None), OutgoingWebhook.suspended_at.is_(None), has_outgoing_webhooks()
    query = select(OutgoingWebhook).where(OutgoingWebhook.conversation_id == room.id, *called)
    return session.scalars(query.order_by(OutgoingWebhook.command)).all()


def list_incoming(session: Session, room: Conversation) -> Sequence[IncomingWebhook]:
    """List a room's incoming webhooks by the bot's name."""
    return session.scalars(
        select(IncomingWebhook)
        .where(IncomingWebhook.conversation_id == room.id)
        .order_by(IncomingWebhook.name, IncomingWebhook.id)
    ).all()


def find_incoming(session: Session, token: str) -> IncomingWebhook | None:
    """Return the incoming webhook with this token, or None."""
    return session.scalars(select(IncomingWebhook).where(IncomingWebhook.token_hash == hash_token(token))).one_or_none()


def is_sending(session: Session) -> bool:
    """Return whether messages are sent to outgoing webhooks, which admins can switch off."""
    return session.scalars(select(has_outgoing_webhooks())).one()


def is_delivery_due(session: Session) -> bool:
    """Return whether a delivery is due now."""
    due = select(WebhookDelivery.id).where(WebhookDelivery.due_at <= now()).limit(1)
    return session.scalars(due).first() is not None


@dataclass(frozen=True, slots=True)
class DueDelivery:
    """The oldest due delivery of a webhook."""

    id: int
    webhook_id: int
    owner: int
    """The id of the webhook's creator; the negative one of its room if the creator is not known."""


def list_due_deliveries(
    session: Session,
    *,
    limit: int,
    limit_per_owner: int,
    busy: Mapping[int, int],
    only: Collection[int] | None = None,
    without: Collection[int] = (),
) -> Sequence[DueDelivery]:
    """List the oldest due delivery of each webhook, at most `limit`.

    Consider `only` these webhooks, and never those in `without` and those that are `busy`, which maps their ids to
    their owners. An owner has at most `limit_per_owner` deliveries, busy ones included. If there are too many, owners
    take turns, and the webhooks of each are chosen at random: many webhooks, or a long queue, have no precedence.
    """
    oldest = (
        select(WebhookDelivery.id)
        .where(WebhookDelivery.webhook_id == OutgoingWebhook.id, WebhookDelivery.due_at <= now())
        .order_by(WebhookDelivery.due_at, WebhookDelivery.id)
        .limit(1)
        .correlate(OutgoingWebhook)
        .scalar_subquery()
    )
    owner = func.coalesce(OutgoingWebhook.creator_id, -OutgoingWebhook.conversation_id)
    query = select(oldest.label("id"), OutgoingWebhook.id.label("webhook_id"), owner.label("owner"))
    query = query.where(OutgoingWebhook.id.not_in([*busy, *without]))
    if only is not None:
        query = query.where(OutgoingWebhook.id.in_(only))
    due = query.subquery()
    turn = func.row_number().over(partition_by=due.c.owner, order_by=func.random())
    turns = select(due, turn.label("turn")).where(due.c.id.is_not(None)).subquery()
    rows = session.execute(
        select(turns.c.id, turns.c.webhook_id, turns.c.owner)
        .where(turns.c.turn <= limit_per_owner)
        .order_by(turns.c.turn, func.random())
        # The busy deliveries of an owner are the reason for which so many of the next ones are left out.
        .limit(max(limit, 0) + len(busy))
    )
    used = Counter(busy.values())
    chosen: list[DueDelivery] = []
    for row in rows:
        if len(chosen) < limit and used[row.owner] < limit_per_owner:
            used[row.owner] += 1
            chosen.append(DueDelivery(row.id, row.webhook_id, row.owner))
    return chosen
