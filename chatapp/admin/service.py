"""What admins change: they revoke any webhook, share link or token, switch features off, and recover rooms."""

from collections.abc import Callable

from sqlalchemy import delete

from chatapp.actors import Actor, require_admin
from chatapp.admin.queries import find_abandoned_room, get_installation
from chatapp.audit_log import AuditKind, record
from chatapp.conversations.signals import sidebar_changed
from chatapp.credentials import Webhook, delete_webhook, revoke_share_links, revoke_tokens, send_sharing_changed
from chatapp.errors import NotFound
from chatapp.models import ApiToken, IncomingWebhook, Membership, OutgoingWebhook, ShareLink, WebhookDelivery
from chatapp.storage import Transaction, write

WEBHOOKS: dict[str, type[IncomingWebhook] | type[OutgoingWebhook]] = {
    "incoming": IncomingWebhook,
    "outgoing": OutgoingWebhook,
}
"""The models of webhooks by the word in the URL."""


def revoke_webhook(actor: Actor, direction: str, webhook_id: int) -> None:
    """Delete a webhook of any room. Raises `NotFound`, `Forbidden`."""

    def change(transaction: Transaction) -> int:
        webhook: Webhook | None = transaction.session.get(WEBHOOKS[direction], webhook_id)  # type: ignore[assignment]
        if webhook is None:
            return 0
        delete_webhook(transaction, actor, webhook)
        return 1

    _revoke(actor, change)


def revoke_share_link(actor: Actor, conversation_id: int) -> None:
    """Revoke the share link of any conversation. Raises `NotFound`, `Forbidden`."""
    _revoke(
        actor, lambda transaction: revoke_share_links(transaction, actor, ShareLink.conversation_id == conversation_id)
    )


def revoke_token(actor: Actor, token_id: int) -> None:
    """Revoke the API token of any user. Raises `NotFound`, `Forbidden`."""
    _revoke(actor, lambda transaction: revoke_tokens(transaction, actor, ApiToken.id == token_id))


def set_switches(actor: Actor, *, has_share_links: bool, has_outgoing_webhooks: bool) -> None:
    """Switch share links and outgoing webhooks on or off for the installation. Raises `Forbidden`.

    Messages that wait to be sent to webhooks are discarded when these are switched off.
    """

    def change(transaction: Transaction) -> None:
        session = transaction.session
        require_admin(session, actor)
        installation = get_installation(session)
        if installation.has_share_links != has_share_links:
            send_sharing_changed(transaction, is_public=has_share_links)
        for name, attribute, is_on in (
            ("share links", "has_share_links", has_share_links),
            ("outgoing webhooks", "has_outgoing_webhooks", has_outgoing_webhooks),
        ):
            if getattr(installation, attribute) != is_on:
                setattr(installation, attribute, is_on)
                record(transaction, AuditKind.SETTING_CHANGED, actor, target=f"{name} {'on' if is_on else 'off'}")
        if not has_outgoing_webhooks:
            session.execute(delete(WebhookDelivery))

    write(change)


def recover_room(actor: Actor, room_id: int) -> None:
    """Make the actor the manager of a private room that has no active member. Raises `NotFound`, `Forbidden`."""

    def change(transaction: Transaction) -> None:
        session = transaction.session
        require_admin(session, actor)
        room = find_abandoned_room(session, room_id)
        if room is None:
            raise NotFound("There is no such room without members.")
        session.add(
            Membership(conversation_id=room.id, user_id=actor.user_id, role="manager", last_read_seq=room.last_event)
        )
        record(transaction, AuditKind.ROOM_RECOVERED, actor, conversation=room.wire_name)
        transaction.send_on_commit(sidebar_changed, [actor.user_id])

    write(change)


def _revoke(actor: Actor, revoke: Callable[[Transaction], int]) -> None:
    """Apply a change of an admin that returns how many things it revoked."""

    def change(transaction: Transaction) -> None:
        require_admin(transaction.session, actor)
        if not revoke(transaction):
            raise NotFound("It does not exist, or was revoked already.")

    write(change)
