"""What is written about webhooks: they themselves, and what is on its way to them."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, select, update

from chatapp.actors import Actor
from chatapp.conversations.names import room_name
from chatapp.conversations.people import find_active_user
from chatapp.conversations.policy import authorize_management
from chatapp.conversations.queries import find_access
from chatapp.errors import Conflict, Invalid, NotFound
from chatapp.models import Conversation, IncomingWebhook, Message, OutgoingWebhook, WebhookDelivery, now
from chatapp.models.accounts import USERNAME_PATTERN
from chatapp.timeline import TimelineMessage, Transaction, store_bot_message, write
from chatapp.timeline.content import check_content
from chatapp.timeline.mentions import EVERYBODY, find_names
from chatapp.timeline.messages import fetch_message
from chatapp.timeline.posting import client_id_of
from chatapp.timeline.signals import MessagesStored
from chatapp.tokens import hash_token, new_token
from chatapp.webhooks.outside import check_url

NAME_LENGTH = 64

MOST = 10
"""Webhooks of one room, of each kind."""

ATTEMPTS = 6
"""Attempts before a delivery is given up."""

LEASE = timedelta(seconds=60)
"""How long the process that has taken a delivery has for it; afterwards another one takes it."""

TAKEN = 10
"""Deliveries that are under way at once."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message that is to be sent, and where to."""

    id: int
    webhook_id: int
    url: str
    secret: str
    attempts: int
    message: TimelineMessage


def add_webhook(actor: Actor, room_id: int, name: str, url: str) -> str:
    """Make a webhook of a room. Gives the secret that signs what is sent to it.

    Raises `NotFound`, `Forbidden` (managers only), `Invalid`, and `Conflict` when the name is taken.
    """
    checked_name, checked_url, secret = name.strip().removeprefix("@").lower(), check_url(url), secrets.token_hex(32)
    if not USERNAME_PATTERN.fullmatch(checked_name) or checked_name == EVERYBODY:
        raise Invalid("A webhook's name has 1 to 32 of the letters a to z, digits, and “.”, “_” or “-” between them.")

    def change(transaction: Transaction) -> str:
        session = transaction.session
        authorize_management(*find_access(session, room_name(room_id), actor.user_id))
        names = session.scalars(select(OutgoingWebhook.name).where(OutgoingWebhook.conversation_id == room_id)).all()
        if checked_name in names or find_active_user(session, checked_name) is not None:
            raise Conflict(f"“{checked_name}” is somebody's name already. Choose another one.")
        if len(names) >= MOST:
            raise Conflict(f"A room has at most {MOST} webhooks.")
        session.add(OutgoingWebhook(conversation_id=room_id, name=checked_name, url=checked_url, secret=secret))
        return secret

    return write(change)


def remove_webhook(actor: Actor, room_id: int, webhook_id: int) -> None:
    """Remove a webhook, and what is on its way to it. Raises `NotFound`, `Forbidden`."""

    def change(transaction: Transaction) -> None:
        session = transaction.session
        authorize_management(*find_access(session, room_name(room_id), actor.user_id))
        webhook = session.get(OutgoingWebhook, webhook_id)
        if webhook is None or webhook.conversation_id != room_id:
            raise NotFound("There is no such webhook.")
        session.execute(delete(WebhookDelivery).where(WebhookDelivery.webhook_id == webhook_id))
        session.delete(webhook)

    write(change)


def add_incoming(actor: Actor, room_id: int, name: str) -> str:
    """Make an address at which a bot called `name` posts to the room. Gives the secret in it.

    Raises `NotFound`, `Forbidden` (managers only), `Invalid`, and `Conflict` for too many.
    """
    checked, token = " ".join(name.split()), new_token()
    if not checked.isprintable() or not 1 <= len(checked) <= NAME_LENGTH:
        raise Invalid(f"A bot's name has 1 to {NAME_LENGTH} printable characters.")

    def change(transaction: Transaction) -> str:
        session = transaction.session
        authorize_management(*find_access(session, room_name(room_id), actor.user_id))
        theirs = select(IncomingWebhook.id).where(IncomingWebhook.conversation_id == room_id)
        if len(session.scalars(theirs).all()) >= MOST:
            raise Conflict(f"A room has at most {MOST} incoming webhooks.")
        session.add(IncomingWebhook(conversation_id=room_id, name=checked, token_hash=hash_token(token)))
        return token

    return write(change)


def remove_incoming(actor: Actor, room_id: int, webhook_id: int) -> None:
    """Let an address post no longer. Raises `NotFound`, `Forbidden`."""

    def change(transaction: Transaction) -> None:
        session = transaction.session
        authorize_management(*find_access(session, room_name(room_id), actor.user_id))
        webhook = session.get(IncomingWebhook, webhook_id)
        if webhook is None or webhook.conversation_id != room_id:
            raise NotFound("There is no such webhook.")
        session.delete(webhook)

    write(change)


def post_by_webhook(token: str, content: object, idempotency_key: str | None) -> TimelineMessage:
    """Post what has come to an address of ours, and give the message.

    Under one key, if there is one, it is posted once. Raises what `check_content` and `client_id_of` raise, `NotFound`
    for an address that there is not, `Archived`.
    """
    checked = check_content(content)
    key = None if idempotency_key is None else client_id_of(idempotency_key)

    def change(transaction: Transaction) -> TimelineMessage:
        session = transaction.session
        webhook = session.scalars(
            select(IncomingWebhook).where(IncomingWebhook.token_hash == hash_token(token))
        ).one_or_none()
        if webhook is None:
            raise NotFound("There is no such webhook, or no longer.")
        room = session.get_one(Conversation, webhook.conversation_id)
        return store_bot_message(transaction, room, webhook.name, checked, key)

    return write(change)


def queue_deliveries(stored: MessagesStored) -> None:
    """Put messages that name a webhook on their way, in the transaction that stores them: a crash loses none."""
    # Only people's: two bots that name each other would never end.
    spoken = [message for message in stored.messages if message.sender_type == "user"]
    named = {message: names for message in spoken if (names := find_names(message.content))}
    if not named:
        return
    session = stored.transaction.session
    rows = session.execute(
        select(OutgoingWebhook, Message.id)
        .join(Message, Message.conversation_id == OutgoingWebhook.conversation_id)
        .where(Message.id.in_([message.id for message in named]))
    ).all()
    by_id = {message.id: names for message, names in named.items()}
    session.add_all(
        WebhookDelivery(webhook_id=webhook.id, message_id=message_id)
        for webhook, message_id in rows
        if webhook.name in by_id[message_id]
    )
    session.flush()


def take_deliveries() -> Sequence[Delivery]:
    """Take what is due, so that no other process does. What is not settled comes again when the lease has run out."""

    def change(transaction: Transaction) -> Sequence[Delivery]:
        session = transaction.session
        due = session.scalars(
            select(WebhookDelivery)
            .where(WebhookDelivery.due_at <= now())
            .order_by(WebhookDelivery.due_at)
            .limit(TAKEN)
            .with_for_update(skip_locked=True)
        ).all()
        taken = []
        for delivery in due:
            webhook = session.get_one(OutgoingWebhook, delivery.webhook_id)
            room = session.get_one(Conversation, webhook.conversation_id)
            message = fetch_message(session, room, delivery.message_id)
            if message.deleted_at is not None:
                session.delete(delivery)
                continue
            delivery.attempts += 1
            delivery.due_at = now() + LEASE
            taken.append(Delivery(delivery.id, webhook.id, webhook.url, webhook.secret, delivery.attempts, message))
        return taken

    return write(change)


def settle_delivery(delivery: Delivery, error: str | None, *, back_off: float) -> None:
    """Say what became of a delivery: it arrived (no `error`), or is tried again later, or given up.

    The n-th pause is `back_off` seconds times six to the power of n - 1.
    """
    is_over = error is None or delivery.attempts >= ATTEMPTS
    pause = timedelta(seconds=back_off * 6 ** (delivery.attempts - 1))
    ended = delete(WebhookDelivery).where(WebhookDelivery.id == delivery.id)
    again = update(WebhookDelivery).where(WebhookDelivery.id == delivery.id).values(due_at=now() + pause)

    def change(transaction: Transaction) -> None:
        transaction.session.execute(ended if is_over else again)
        transaction.session.execute(
            update(OutgoingWebhook)
            .where(OutgoingWebhook.id == delivery.webhook_id)
            .values(last_error=error and error[:250])
        )

    write(change)
