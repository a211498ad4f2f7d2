"""What is written about webhooks: they themselves, and what is on its way to them."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, select, update

from chatapp.conversations.names import ConversationName
from chatapp.conversations.policy import Actor, permit_managing
from chatapp.conversations.queries import USERNAME, find_person, find_place
from chatapp.errors import Conflict, Invalid, NotFound
from chatapp.models import Conversation, Message, OutgoingWebhook, WebhookDelivery, now
from chatapp.timeline import TimelineMessage, Transaction, write
from chatapp.timeline.mentions import EVERYBODY, find_names
from chatapp.timeline.messages import fetch_message
from chatapp.timeline.signals import MessagesStored
from chatapp.webhooks.outside import check_url

MOST = 10
"""Webhooks of one room."""

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
    if not USERNAME.fullmatch(checked_name) or checked_name == EVERYBODY:
        raise Invalid("A webhook's name has 1 to 32 of the letters a to z, digits, and “.”, “_” or “-” between them.")

    def change(transaction: Transaction) -> str:
        session = transaction.session
        permit_managing(*find_place(session, ConversationName("room", room_id), actor.user_id))
        names = session.scalars(select(OutgoingWebhook.name).where(OutgoingWebhook.conversation_id == room_id)).all()
        if checked_name in names or find_person(session, checked_name) is not None:
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
        permit_managing(*find_place(session, ConversationName("room", room_id), actor.user_id))
        webhook = session.get(OutgoingWebhook, webhook_id)
        if webhook is None or webhook.conversation_id != room_id:
            raise NotFound("There is no such webhook.")
        session.execute(delete(WebhookDelivery).where(WebhookDelivery.webhook_id == webhook_id))
        session.delete(webhook)

    write(change)


def queue_deliveries(stored: MessagesStored) -> None:
    """Put messages that name a webhook on their way, in the transaction that stores them: a crash loses none."""
    named = {message: names for message in stored.messages if (names := find_names(message.content))}
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
