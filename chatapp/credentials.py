"""Revoking and suspending what lets programs and visitors in: API tokens, share links, invitations and webhooks.

Each function records in the audit log what it ended, with `actor` as the one who did it; None on the command line.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, delete, func, or_, select, update
from sqlalchemy.orm import Session

from chatapp.actors import Actor
from chatapp.audit_log import AuditKind, record
from chatapp.models import (
    ApiToken,
    Conversation,
    IncomingWebhook,
    Installation,
    Invitation,
    Membership,
    OutgoingWebhook,
    ShareLink,
    User,
    WebhookDelivery,
    now,
)
from chatapp.models.conversations import format_wire_name
from chatapp.signals import Signal
from chatapp.storage import Transaction

Webhook = IncomingWebhook | OutgoingWebhook
WEBHOOK_MODELS: tuple[type[IncomingWebhook], type[OutgoingWebhook]] = (IncomingWebhook, OutgoingWebhook)


@dataclass(frozen=True, slots=True)
class SharingChanged:
    """The share link of a conversation was created or revoked, or all of them were switched on or off."""

    wire_name: str
    is_public: bool


sharing_changed: Signal[SharingChanged] = Signal("sharing-changed")
"""A conversation has become public, or is no longer public."""


def revoke_credentials(transaction: Transaction, actor: Actor | None, user_id: int) -> None:
    """Revoke a user's API tokens, share links and invitations, and suspend their webhooks: the user is banned."""
    revoke_tokens(transaction, actor, ApiToken.user_id == user_id)
    revoke_share_links(transaction, actor, ShareLink.creator_id == user_id)
    revoke_invitations(transaction, actor, Invitation.creator_id == user_id)
    suspend_webhooks(transaction, actor, lambda model: is_webhook_of(model, user_id))


def end_access_to_room(transaction: Transaction, actor: Actor | None, room: Conversation, user_id: int) -> None:
    """Revoke a user's share link of a room, and suspend their webhooks in it.

    Call it before the membership ends: it decides which webhooks without a known creator may be the user's.
    """
    revoke_share_links(transaction, actor, ShareLink.creator_id == user_id, ShareLink.conversation_id == room.id)
    suspend_webhooks(
        transaction, actor, lambda model: and_(is_webhook_of(model, user_id), model.conversation_id == room.id)
    )


def revoke_tokens(transaction: Transaction, actor: Actor | None, *conditions: ColumnElement[bool]) -> int:
    """Revoke the API tokens that match. Return how many there were."""
    session = transaction.session
    rows = session.execute(
        select(ApiToken.id, ApiToken.name, User.username).join(User, User.id == ApiToken.user_id).where(*conditions)
    ).all()
    session.execute(delete(ApiToken).where(ApiToken.id.in_([token_id for token_id, _, _ in rows])))
    for _, name, username in rows:
        record(transaction, AuditKind.TOKEN_REVOKED, actor, target=f"@{username} {name}")
    return len(rows)


def revoke_share_links(transaction: Transaction, actor: Actor | None, *conditions: ColumnElement[bool]) -> int:
    """Revoke the share links that match. Return how many there were."""
    session = transaction.session
    rows = session.execute(
        select(Conversation.id, Conversation.kind)
        .join(ShareLink, ShareLink.conversation_id == Conversation.id)
        .where(*conditions)
    ).all()
    session.execute(delete(ShareLink).where(ShareLink.conversation_id.in_([number for number, _ in rows])))
    for number, kind in rows:
        name = format_wire_name(kind, number)
        record(transaction, AuditKind.SHARE_LINK_REVOKED, actor, conversation=name)
        transaction.send_on_commit(sharing_changed, SharingChanged(name, is_public=False))
    return len(rows)


def revoke_invitations(transaction: Transaction, actor: Actor | None, *conditions: ColumnElement[bool]) -> int:
    """Revoke the invitations that match; all without a condition. Return how many there were."""
    ids = transaction.session.scalars(delete(Invitation).where(*conditions).returning(Invitation.id)).all()
    for invitation_id in ids:
        record(transaction, AuditKind.INVITATION_REVOKED, actor, target=f"invitation {invitation_id}")
    return len(ids)


def suspend_webhooks(
    transaction: Transaction, actor: Actor | None, condition: Callable[[type[Webhook]], ColumnElement[bool]]
) -> int:
    """Suspend the webhooks that match, and discard what is queued for them. Return how many there were.

    `condition` returns the condition on the model of incoming or of outgoing webhooks.
    """
    session = transaction.session
    suspended = 0
    for model in WEBHOOK_MODELS:
        rows = session.execute(
            update(model)
            .where(model.suspended_at.is_(None), condition(model))
            .values(suspended_at=now())
            .returning(model.id, model.name, model.conversation_id)
            .execution_options(synchronize_session=False)
        ).all()
        if model is OutgoingWebhook:
            ids = [webhook_id for webhook_id, _, _ in rows]
            session.execute(delete(WebhookDelivery).where(WebhookDelivery.webhook_id.in_(ids)))
        for _, name, room_id in rows:
            room = format_wire_name("room", room_id)
            record(transaction, AuditKind.WEBHOOK_SUSPENDED, actor, target=name, conversation=room)
        suspended += len(rows)
    return suspended


def delete_webhook(transaction: Transaction, actor: Actor | None, webhook: Webhook) -> None:
    """Delete a webhook, and what is queued for it."""
    session = transaction.session
    if isinstance(webhook, OutgoingWebhook):
        session.execute(delete(WebhookDelivery).where(WebhookDelivery.webhook_id == webhook.id))
    session.delete(webhook)
    room = format_wire_name("room", webhook.conversation_id)
    record(transaction, AuditKind.WEBHOOK_DELETED, actor, target=webhook.name, conversation=room)


def count_suspended_webhooks(session: Session, room_id: int) -> int:
    """Return how many webhooks of a room wait to be adopted by a manager."""
    return sum(
        session.scalars(
            select(func.count(model.id)).where(model.conversation_id == room_id, model.suspended_at.is_not(None))
        ).one()
        for model in WEBHOOK_MODELS
    )


def has_outgoing_webhooks() -> ColumnElement[bool]:
    """Return the condition that the admins have not switched outgoing webhooks off."""
    return select(Installation.has_outgoing_webhooks).scalar_subquery()


def has_share_links() -> ColumnElement[bool]:
    """Return the condition that the admins have not switched share links off."""
    return select(Installation.has_share_links).scalar_subquery()


def are_share_links_enabled(session: Session) -> bool:
    """Return whether the admins have not switched share links off."""
    return session.scalars(select(has_share_links())).one()


def send_sharing_changed(transaction: Transaction, *, is_public: bool) -> None:
    """Send the signal that all conversations with a share link are public, or that none of them is any longer."""
    shared = select(Conversation.id, Conversation.kind).join(ShareLink, ShareLink.conversation_id == Conversation.id)
    for number, kind in transaction.session.execute(shared):
        transaction.send_on_commit(sharing_changed, SharingChanged(format_wire_name(kind, number), is_public))


def is_webhook_of(model: type[Webhook], user_id: int) -> ColumnElement[bool]:
    """Return the condition that a webhook is, or may be, a user's.

    Creators were not recorded in the past. Such a webhook may be that of any manager of its room.
    """
    managed = select(Membership.conversation_id).where(Membership.user_id == user_id, Membership.role == "manager")
    return or_(
        model.creator_id == user_id,
        and_(model.creator_id.is_(None), model.conversation_id.in_(managed)),
    )
