"""Creating and deleting webhooks, and their deliveries."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar, cast

from sqlalchemy import BigInteger, Table, bindparam, delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from chatapp.actors import Actor
from chatapp.audit_log import AuditKind, record
from chatapp.config import current_settings
from chatapp.config.assistants import current_assistants
from chatapp.conversations.commands import COMMAND_NAME, OWN_COMMANDS, Command, find_called_command
from chatapp.conversations.name_space import list_assistant_names, require_free_bot_name
from chatapp.conversations.policy import authorize_management
from chatapp.conversations.queries import find_access_of
from chatapp.conversations.refs import room_ref
from chatapp.credentials import delete_webhook, has_outgoing_webhooks
from chatapp.encryption.streams import Undecryptable
from chatapp.errors import Conflict, Forbidden, Invalid, NotFound
from chatapp.mention_names import MENTION_ALL, find_names
from chatapp.models import Conversation, IncomingWebhook, Message, OutgoingWebhook, WebhookDelivery, now
from chatapp.models.accounts import USERNAME_PATTERN
from chatapp.storage import INTEGER, BatchChange, ReadStatement, Transaction, encode_rows, parameter_rows, write
from chatapp.text import clean_line
from chatapp.timeline import TimelineMessage, store_bot_message
from chatapp.timeline.client_ids import client_id_of
from chatapp.timeline.content import check_caption, check_content
from chatapp.timeline.messages import fetch_messages, select_messages
from chatapp.timeline.posted_files import NO_FILES, PostedFiles
from chatapp.timeline.signals import MessagesStored
from chatapp.tokens import hash_token, new_token
from chatapp.webhooks.client import check_url
from chatapp.webhooks.signing import new_secret
from chatapp.webhooks.slack import to_markdown

W = TypeVar("W", IncomingWebhook, OutgoingWebhook)

MAX_BOT_NAME_CHARS = 64

MAX_WEBHOOKS = 10
"""Maximum number of webhooks of a room, of each kind."""

MAX_ATTEMPTS = 6
"""Number of attempts after which a delivery is discarded."""

LEASE_DURATION = timedelta(seconds=60)
"""The time that a process has for a delivery that it claimed. Afterwards another process may claim it."""

MAX_QUEUED_DELIVERIES = 1_000
"""Maximum number of deliveries that wait for one webhook. Further messages are not sent to it."""

RETRY_FACTOR = 6
"""Each delay between two attempts is this many times as long as the one before."""

MAX_ERROR_CHARS = 250

_DELIVERIES, _OUTGOING = cast(Table, WebhookDelivery.__table__), cast(Table, OutgoingWebhook.__table__)
# Built once, as every message with a name is looked up.
_MESSAGE_KEYS = parameter_rows("keys", conversation_id=INTEGER, message_id=BigInteger())
_FIND_WEBHOOKS = ReadStatement(
    select(_MESSAGE_KEYS.c.message_id, _OUTGOING.c.id, _OUTGOING.c.name, _OUTGOING.c.command)
    .join(_OUTGOING, _OUTGOING.c.conversation_id == _MESSAGE_KEYS.c.conversation_id)
    .where(_OUTGOING.c.suspended_at.is_(None), has_outgoing_webhooks())
)
_DELETE_DELIVERY = delete(_DELIVERIES).where(_DELIVERIES.c.id == bindparam("key"))
_RETRY_DELIVERY = update(_DELIVERIES).where(_DELIVERIES.c.id == bindparam("key")).values(due_at=bindparam("retry_at"))
_SET_ERROR = update(_OUTGOING).where(_OUTGOING.c.id == bindparam("key")).values(last_error=bindparam("error"))


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message to be sent to an outgoing webhook."""

    id: int
    webhook_id: int
    url: str
    secret: str
    attempts: int
    message: TimelineMessage
    command: Command | None
    """What the message calls the webhook with; None if it only mentions it."""


def add_outgoing(actor: Actor, room_id: int, name: str, url: str, command: str = "") -> str:
    """Add an outgoing webhook to a room, perhaps with a command. Return the secret that signs its deliveries.

    Raises `NotFound`, `Forbidden` (managers only), `Invalid`, and `Conflict` if the name or the command is taken, or if
    there are too many webhooks.
    """
    checked_name, checked_url, secret = name.strip().removeprefix("@").lower(), check_url(url), new_secret()
    if not USERNAME_PATTERN.fullmatch(checked_name) or checked_name == MENTION_ALL:
        raise Invalid(
            "A webhook name must have 1 to 32 characters: letters from a to z and digits, with “.”, “_” or “-” "
            "between them."
        )
    checked_command = _check_command(command)
    assistant_names = list_assistant_names(current_assistants().values())

    def change(transaction: Transaction) -> str:
        session = transaction.session
        _authorize(session, actor, room_id)
        names = session.scalars(select(OutgoingWebhook.name).where(OutgoingWebhook.conversation_id == room_id)).all()
        if checked_name in names:
            raise Conflict(f"The name “{checked_name}” is taken. Choose another one.")
        require_free_bot_name(session, checked_name, assistant_names)
        _check_free_command(session, room_id, checked_command)
        if len(names) >= MAX_WEBHOOKS:
            raise Conflict(f"A room can have at most {MAX_WEBHOOKS} outgoing webhooks.")
        with _refuse_duplicate(session):
            session.add(
                OutgoingWebhook(
                    conversation_id=room_id,
                    name=checked_name,
                    command=checked_command,
                    url=checked_url,
                    secret=secret,
                    creator_id=actor.user_id,
                )
            )
        _record(transaction, AuditKind.WEBHOOK_CREATED, actor, checked_name, room_id)
        return secret

    return write(change)


def change_command(actor: Actor, room_id: int, webhook_id: int, command: str) -> None:
    """Set the command of an outgoing webhook; an empty text removes it.

    Raises `NotFound`, `Forbidden` (managers only), `Invalid`, and `Conflict` if the command is taken.
    """
    checked = _check_command(command)

    def change(transaction: Transaction) -> None:
        session = transaction.session
        _authorize(session, actor, room_id)
        webhook = _get_webhook(session, room_id, OutgoingWebhook, webhook_id)
        if webhook.command == checked:
            return
        _check_free_command(session, room_id, checked)
        with _refuse_duplicate(session):
            webhook.command = checked
        _record(transaction, AuditKind.WEBHOOK_CHANGED, actor, webhook.name, room_id)

    write(change)


def remove(actor: Actor, room_id: int, model: type[W], webhook_id: int) -> None:
    """Delete a webhook. Raises `NotFound`, `Forbidden` (managers only)."""

    def change(transaction: Transaction) -> None:
        _authorize(transaction.session, actor, room_id)
        delete_webhook(transaction, actor, _get_webhook(transaction.session, room_id, model, webhook_id))

    write(change)


def add_incoming(actor: Actor, room_id: int, name: str, *, has_slack_notation: bool = False) -> str:
    """Add an incoming webhook, whose bot is called `name`, to a room. Return the token of its URL.

    With `has_slack_notation`, what it receives is converted to Markdown before it is stored.

    Raises `NotFound`, `Forbidden` (managers only), `Invalid`, and `Conflict` if a user or an assistant has a name like
    this or there are too many.
    """
    checked, token = clean_line(name, "The name of a bot", max_chars=MAX_BOT_NAME_CHARS), new_token()
    assistant_names = list_assistant_names(current_assistants().values())

    def change(transaction: Transaction) -> str:
        session = transaction.session
        _authorize(session, actor, room_id)
        existing = session.scalars(select(IncomingWebhook.id).where(IncomingWebhook.conversation_id == room_id)).all()
        if len(existing) >= MAX_WEBHOOKS:
            raise Conflict(f"A room can have at most {MAX_WEBHOOKS} incoming webhooks.")
        require_free_bot_name(session, checked, assistant_names)
        session.add(
            IncomingWebhook(
                conversation_id=room_id,
                name=checked,
                token_hash=hash_token(token),
                has_slack_notation=has_slack_notation,
                creator_id=actor.user_id,
            )
        )
        _record(transaction, AuditKind.WEBHOOK_CREATED, actor, checked, room_id)
        return token

    return write(change)


def adopt(actor: Actor, room_id: int, model: type[W], webhook_id: int) -> str:
    """Make `actor` responsible for a suspended webhook, which works again.

    Return its new secret, or the new token of its URL: its former creator knows the old one. Raises `NotFound`,
    `Forbidden` (managers only), and `Conflict` if it is not suspended.
    """

    def change(transaction: Transaction) -> str:
        _authorize(transaction.session, actor, room_id)
        webhook = _get_webhook(transaction.session, room_id, model, webhook_id)
        if webhook.suspended_at is None:
            raise Conflict("This webhook is not suspended.")
        webhook.creator_id, webhook.suspended_at = actor.user_id, None
        if isinstance(webhook, IncomingWebhook):
            token = new_token()
            webhook.token_hash = hash_token(token)
        else:
            webhook.secret = token = new_secret()
        _record(transaction, AuditKind.WEBHOOK_ADOPTED, actor, webhook.name, room_id)
        return token

    return write(change)


def _get_webhook(session: Session, room_id: int, model: type[W], webhook_id: int) -> W:
    webhook = session.get(model, webhook_id)
    if webhook is None or webhook.conversation_id != room_id:
        raise NotFound("There is no such webhook.")
    return webhook


def require_uploader(webhook: IncomingWebhook) -> int:
    """Return the id of the user to whose limits the files of an incoming webhook count: who created or adopted it.

    Raises `Forbidden` for a suspended webhook, and for an old one whose creator was not recorded.
    """
    _require_active(webhook)
    if webhook.creator_id is None:
        raise Forbidden("This webhook cannot post files: remove it, and add it again.")
    return webhook.creator_id


def _require_active(webhook: IncomingWebhook) -> None:
    if webhook.suspended_at is not None:
        raise Forbidden("This webhook is suspended until a manager of the room adopts it.")


def post_by_webhook(
    token: str, content: object, idempotency_key: str | None, posted: PostedFiles = NO_FILES
) -> TimelineMessage:
    """Post a message through an incoming webhook and return it. With the same key it is posted once.

    The `posted` files are uploads of the `require_uploader`. A message with files may have no text.

    Raises what `check_content` and `client_id_of` raise, `NotFound` for an unknown token, `Forbidden` for a suspended
    webhook, what is wrong with the files, and `Archived`.
    """
    limit = current_settings().max_message_chars
    check = check_content if posted == NO_FILES else check_caption
    checked = check(content, limit)
    client_id = None if idempotency_key is None else client_id_of(idempotency_key)

    def change(transaction: Transaction) -> TimelineMessage:
        session = transaction.session
        webhook = session.scalars(
            select(IncomingWebhook).where(IncomingWebhook.token_hash == hash_token(token))
        ).one_or_none()
        if webhook is None:
            raise no_such_webhook()
        _require_active(webhook)
        room = session.get_one(Conversation, webhook.conversation_id)
        # Checked again: the Markdown may be longer, or nothing.
        text = check(to_markdown(checked), limit) if webhook.has_slack_notation else checked
        return store_bot_message(
            transaction, room, webhook.name, text, client_id, posted=posted, uploader_id=webhook.creator_id
        )

    return write(change)


def no_such_webhook() -> NotFound:
    """Return the error for an unknown token of an incoming webhook."""
    return NotFound("This webhook does not exist or was deleted.")


def queue_deliveries(stored: MessagesStored) -> None:
    """Queue messages that mention or call a webhook, in the transaction that stores them: a crash loses none."""
    # Only messages of users: two bots that mention each other would never stop.
    messages = [message for message in stored.messages if message.sender_type == "user"]
    called_by_id = {message.id: called for message in messages if (called := _find_called(message.content))}
    if not called_by_id:
        return
    session = stored.transaction.session
    keys = encode_rows((message.conversation.id, message.id) for message in messages if message.id in called_by_id)
    calls = [
        (webhook_id, message_id)
        for message_id, webhook_id, name, command in _FIND_WEBHOOKS.fetch(session, keys=keys)
        if not called_by_id[message_id].isdisjoint((name, f"/{command}"))
    ]
    waiting = _count_waiting(session, {webhook_id for webhook_id, _ in calls})
    for webhook_id, message_id in calls:
        if waiting[webhook_id] >= MAX_QUEUED_DELIVERIES:
            webhook = session.get_one(OutgoingWebhook, webhook_id)
            webhook.last_error = f"more than {MAX_QUEUED_DELIVERIES} messages wait, the newest are not sent"
        else:
            waiting[webhook_id] += 1
            session.add(WebhookDelivery(webhook_id=webhook_id, message_id=message_id))
    session.flush()


def _find_called(content: str) -> frozenset[str]:
    """Return the names that a message mentions, and the command that it begins with, such as `/deploy`."""
    names, command = find_names(content), find_called_command(content)
    return frozenset(names) if command is None else frozenset({*names, f"/{command.name}"})


def _count_waiting(session: Session, webhook_ids: Collection[int]) -> Counter[int]:
    """Count the queued deliveries of each webhook."""
    if not webhook_ids:
        return Counter()
    rows = session.execute(
        select(WebhookDelivery.webhook_id, func.count())
        .where(WebhookDelivery.webhook_id.in_(webhook_ids))
        .group_by(WebhookDelivery.webhook_id)
    )
    return Counter(dict(rows.tuples().all()))


def claim_deliveries(ids: Collection[int]) -> Sequence[Delivery]:
    """Set a lease on those of the deliveries that are due, and return them.

    They become due again if they are not finished in time.
    """

    def change(transaction: Transaction) -> Sequence[Delivery]:
        session = transaction.session
        due = session.execute(
            select(WebhookDelivery, OutgoingWebhook, Conversation)
            .join(OutgoingWebhook, OutgoingWebhook.id == WebhookDelivery.webhook_id)
            .join(Conversation, Conversation.id == OutgoingWebhook.conversation_id)
            .where(WebhookDelivery.id.in_(ids), WebhookDelivery.due_at <= now())
            .with_for_update(of=WebhookDelivery, skip_locked=True)
        ).all()
        messages = _fetch_messages(session, [(room, delivery.message_id) for delivery, _, room in due])
        claimed = []
        for delivery, webhook, _ in due:
            message = messages[delivery.message_id]
            # It may have been queued by another process at the same time as it was suspended.
            if message.deleted_at is not None or webhook.suspended_at is not None:
                session.delete(delivery)
                continue
            try:
                secret = webhook.secret
            except Undecryptable as error:
                webhook.last_error = f"the signing secret cannot be decrypted ({error}); remove the webhook, and add it"
                session.delete(delivery)
                continue
            delivery.attempts += 1
            delivery.due_at = now() + LEASE_DURATION
            command = _find_call(message.content, webhook.command)
            claimed.append(Delivery(delivery.id, webhook.id, webhook.url, secret, delivery.attempts, message, command))
        return claimed

    return write(change)


def _fetch_messages(
    session: Session, wanted: Iterable[tuple[Conversation, int]]
) -> Mapping[int | None, TimelineMessage]:
    """Return messages by their ids, with one query for each room."""
    ids_by_room: dict[Conversation, set[int]] = {}
    for room, message_id in wanted:
        ids_by_room.setdefault(room, set()).add(message_id)
    return {
        message.id: message
        for room, ids in ids_by_room.items()
        for message in fetch_messages(session, select_messages(room).where(Message.id.in_(ids)), room)
    }


def finish_attempt(delivery: Delivery, error: str | None, *, retry_seconds: float) -> None:
    """Store the result of an attempt. After an `error`, schedule the next attempt or discard the delivery."""
    delay = timedelta(seconds=retry_seconds * RETRY_FACTOR ** (delivery.attempts - 1))
    is_finished = error is None or delivery.attempts >= MAX_ATTEMPTS
    write(FinishedAttempt(delivery.id, delivery.webhook_id, error, None if is_finished else now() + delay))


@dataclass(frozen=True, slots=True)
class FinishedAttempt(BatchChange[None]):
    """The result of an attempt. Many end at once when they are sent to one receiver that does not respond."""

    delivery_id: int
    webhook_id: int
    error: str | None
    retry_at: datetime | None
    """When the delivery is attempted again; None if it is finished."""
    runs_last = True

    @classmethod
    def apply_batch(cls, transaction: Transaction, changes: Sequence[Any]) -> Sequence[None]:
        """Store the results."""
        connection = transaction.session.connection()
        retries = {each.delivery_id: each.retry_at for each in changes if each.retry_at is not None}
        errors = {each.webhook_id: each.error and each.error[:MAX_ERROR_CHARS] for each in changes}
        # In one order, so that two processes rarely deadlock.
        finished = sorted({each.delivery_id for each in changes} - retries.keys())
        if finished:
            connection.execute(_DELETE_DELIVERY, [{"key": each} for each in finished])
        if retries:
            connection.execute(_RETRY_DELIVERY, [{"key": key, "retry_at": at} for key, at in sorted(retries.items())])
        connection.execute(_SET_ERROR, [{"key": key, "error": errors[key]} for key in sorted(errors)])
        return [None] * len(changes)


def _authorize(session: Session, actor: Actor, room_id: int) -> None:
    authorize_management(*find_access_of(session, room_ref(room_id), actor))


def _record(transaction: Transaction, kind: AuditKind, actor: Actor, webhook_name: str, room_id: int) -> None:
    record(transaction, kind, actor, target=webhook_name, conversation=room_ref(room_id).wire_name)


def _check_command(command: str) -> str | None:
    """Return the name of a command, or None for an empty text. Raises `Invalid`, also for chatapp's own commands."""
    name = command.strip().removeprefix("/").lower()
    if not name:
        return None
    if not COMMAND_NAME.fullmatch(name):
        raise Invalid(
            "A command must have 1 to 32 characters: letters from a to z and digits, with “_” or “-” between them."
        )
    if name in OWN_COMMANDS:
        raise Invalid(f"“/{name}” is a command of chatapp. Choose another one.")
    return name


def _check_free_command(session: Session, room_id: int, command: str | None) -> None:
    """Raise `Conflict` if a webhook of the room has this command."""
    is_taken = OutgoingWebhook.conversation_id == room_id, OutgoingWebhook.command == command
    if command is not None and session.scalars(select(OutgoingWebhook.id).where(*is_taken)).first() is not None:
        raise Conflict(f"The command “/{command}” is taken. Choose another one.")


@contextmanager
def _refuse_duplicate(session: Session) -> Iterator[None]:
    """Flush a change. Raise `Conflict` if another process has stored the same name or command meanwhile."""
    try:
        with session.begin_nested():
            yield
    except IntegrityError:
        raise Conflict("The name or the command is taken. Choose another one.") from None


def _find_call(content: str, command: str | None) -> Command | None:
    """Return what a message calls the webhook that has this command with, or None if it does not."""
    called = find_called_command(content)
    return called if called is not None and called.name == command else None
