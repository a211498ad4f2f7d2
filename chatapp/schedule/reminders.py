"""Reminders: of a text, of a message, or of both."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any, Self, TypeVar, cast

from sqlalchemy import Row, Select, Table, delete, func, insert, select, update
from sqlalchemy.orm import Session

from chatapp.actors import Actor, require_active_login
from chatapp.config import current_settings
from chatapp.conversations.policy import authorize_reading, may_read
from chatapp.conversations.queries import find_access, find_access_of
from chatapp.conversations.refs import ConversationRef, make_ref
from chatapp.conversations.service import lock_people
from chatapp.errors import Conflict, Invalid, NotFound
from chatapp.models import Conversation, Reminder, now
from chatapp.schedule.phrases import split_reminder
from chatapp.schedule.queries import Cursor, is_after
from chatapp.schedule.signals import ReminderChanged, ReminderState, reminder_changed
from chatapp.schedule.times import check_due_at
from chatapp.storage import Transaction, write
from chatapp.timeline import TimelineMessage
from chatapp.timeline.client_ids import check_client_id
from chatapp.timeline.content import check_content
from chatapp.timeline.messages import fetch_messages_by_seq

T = TypeVar("T")

MAX_CHARS = 1_000
"""Maximum length of the text of a reminder."""

MAX_FIRED = 100
"""Maximum number of reminders that become due together."""

REMINDERS = cast(Table, Reminder.__table__)

_SELECT: Select[Any] = select(*REMINDERS.c, Conversation.kind).outerjoin_from(
    REMINDERS, Conversation, Conversation.id == REMINDERS.c.conversation_id
)

_ORDER = (REMINDERS.c.due_at, REMINDERS.c.id)

_IS_TO_FIRE = REMINDERS.c.fired_at.is_(None)


@dataclass(frozen=True, slots=True)
class ReminderRow:
    """A reminder of a person."""

    id: int
    user_id: int
    client_id: str
    content: str
    """What the person has written; empty if it is only about a message."""
    conversation: ConversationRef | None
    """That of the message, unless it was deleted."""
    seq: int | None
    """The number of the message that it is about, if it is about one."""
    due_at: datetime
    fired_at: datetime | None
    """When the person was reminded."""
    created_at: datetime

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        """Create the value from a row."""
        return cls(
            id=row.id,
            user_id=row.user_id,
            client_id=row.client_id,
            content=row.content,
            conversation=None if row.kind is None else make_ref(row.kind, row.conversation_id),
            seq=row.seq,
            due_at=row.due_at,
            fired_at=row.fired_at,
            created_at=row.created_at,
        )

    @property
    def cursor(self) -> Cursor:
        """Its place in the list."""
        return Cursor(self.due_at, self.id)

    def to_change(self, state: ReminderState) -> ReminderChanged:
        """Return the payload of `reminder_changed`."""
        wire_name = self.conversation.wire_name if self.conversation else None
        return ReminderChanged(self.user_id, self.id, state, self.content, wire_name, self.seq)


def find_reminder(session: Session, user_id: int, reminder_id: int) -> ReminderRow:
    """Find a reminder of a person. Raises `NotFound`."""
    row = session.execute(_SELECT.where(REMINDERS.c.id == reminder_id, REMINDERS.c.user_id == user_id)).one_or_none()
    if row is None:
        raise NotFound("There is no such reminder.")
    return ReminderRow.of(row)


def list_reminders(session: Session, user_id: int, *, limit: int, after: Cursor | None = None) -> Sequence[ReminderRow]:
    """List the reminders of a person that come after a cursor, soonest first, beginning with those that are due."""
    query = _SELECT.where(REMINDERS.c.user_id == user_id)
    if after is not None:
        query = query.where(is_after(_ORDER, after))
    return [ReminderRow.of(row) for row in session.execute(query.order_by(*_ORDER).limit(limit))]


def count_reminders(session: Session, user_id: int) -> int:
    """Count the reminders of a person."""
    return session.execute(select(func.count()).where(REMINDERS.c.user_id == user_id)).scalar_one()


def read_messages(session: Session, user_id: int, reminders: Sequence[ReminderRow]) -> dict[int, TimelineMessage]:
    """Return the messages that reminders are about, by the reminders' ids: those that the person may read now."""
    seqs: dict[ConversationRef, set[int]] = {}
    for each in reminders:
        if each.conversation is not None and each.seq is not None:
            seqs.setdefault(each.conversation, set()).add(each.seq)
    found = {
        (ref, message.seq): message
        for ref, numbers in seqs.items()
        if may_read(*find_access(session, ref, user_id))
        for message in fetch_messages_by_seq(session, ref, sorted(numbers))
        if message.deleted_at is None
    }
    return {
        each.id: found[each.conversation, each.seq]
        for each in reminders
        if each.conversation is not None and (each.conversation, each.seq) in found
    }


def remind(
    actor: Actor,
    *,
    content: object,
    client_id: object,
    due_at: object,
    ref: ConversationRef | None = None,
    seq: int | None = None,
) -> ReminderRow:
    """Store a reminder of a text, of a message of a conversation, or of both, and return it.

    A repeated `client_id` returns the reminder that is stored under it.

    Raises what `check_content`, `check_client_id` and `check_due_at` raise, what `authorize_reading` raises and
    `NotFound` for the message, `Invalid` if there is nothing to remind of, `Conflict` if the person has as many as the
    setting allows, and `SignedOut`.
    """
    settings, key = current_settings(), check_client_id(client_id)
    if (ref is None) != (seq is None):
        raise Invalid("Give the conversation and the seq of a message, or neither of them.")
    has_text = content is not None and content != ""
    text = "" if seq is not None and not has_text else check_content(content, MAX_CHARS, "A reminder")
    moment = check_due_at(due_at, max_days=settings.max_schedule_days)

    def change(transaction: Transaction) -> ReminderRow:
        session = transaction.session
        require_active_login(session, actor)
        # The number of their reminders is limited, and two processes cannot insert the same one.
        session.execute(lock_people([actor.user_id]))
        query = _SELECT.where(REMINDERS.c.client_id == key, REMINDERS.c.user_id == actor.user_id)
        if row := session.execute(query).one_or_none():
            return ReminderRow.of(row)
        if ref is not None and seq is not None:
            authorize_reading(*find_access_of(session, ref, actor))
            if not any(message.deleted_at is None for message in fetch_messages_by_seq(session, ref, [seq])):
                raise NotFound("This message does not exist, or was deleted.")
        if count_reminders(session, actor.user_id) >= settings.max_scheduled:
            raise Conflict(f"You can have at most {settings.max_scheduled} reminders. Mark one as done first.")
        values = {
            "user_id": actor.user_id,
            "client_id": key,
            "content": text,
            "conversation_id": None if ref is None else ref.id,
            "seq": seq,
            "due_at": moment,
            "created_at": now(),
        }
        session.execute(insert(REMINDERS), values)
        reminder = ReminderRow.of(session.execute(query).one())
        transaction.send_on_commit(reminder_changed, reminder.to_change("scheduled"))
        return reminder

    return write(change)


def remind_by_text(actor: Actor, text: str, zone: tzinfo) -> ReminderRow:
    """Store the reminder of a text such as “me to call Ana tomorrow at 9:00”: see `split_reminder` and `remind`."""
    about, due_at = split_reminder(text, now(), zone)
    return remind(actor, content=about, client_id=str(uuid.uuid4()), due_at=due_at)


def move_reminder(actor: Actor, reminder_id: int, due_at: object) -> ReminderRow:
    """Give a reminder another time, also one that was due. Raises what `check_due_at` raises and `NotFound`."""
    moment = check_due_at(due_at, max_days=current_settings().max_schedule_days)

    def change(transaction: Transaction, _: ReminderRow) -> ReminderRow:
        session = transaction.session
        values = {"due_at": moment, "fired_at": None}
        session.execute(update(REMINDERS).where(REMINDERS.c.id == reminder_id).values(values))
        moved = find_reminder(session, actor.user_id, reminder_id)
        transaction.send_on_commit(reminder_changed, moved.to_change("scheduled"))
        return moved

    return _change(actor, reminder_id, change)


def finish_reminder(actor: Actor, reminder_id: int) -> None:
    """Remove a reminder, because it is done or not wanted any more. Raises `NotFound`."""

    def change(transaction: Transaction, reminder: ReminderRow) -> None:
        transaction.session.execute(delete(REMINDERS).where(REMINDERS.c.id == reminder_id))
        transaction.send_on_commit(reminder_changed, reminder.to_change("done"))

    _change(actor, reminder_id, change)


def _change(actor: Actor, reminder_id: int, change: Callable[[Transaction, ReminderRow], T]) -> T:
    """Write a change of a locked reminder."""

    def apply(transaction: Transaction) -> T:
        session = transaction.session
        require_active_login(session, actor)
        session.execute(select(REMINDERS.c.id).where(REMINDERS.c.id == reminder_id).with_for_update())
        return change(transaction, find_reminder(session, actor.user_id, reminder_id))

    return write(apply)


class DueReminders:
    """The work of reminding people."""

    def find_next(self, session: Session) -> datetime | None:
        """Return the time at which the next reminder is due."""
        query = select(REMINDERS.c.due_at).where(_IS_TO_FIRE).order_by(*_ORDER).limit(1)
        return session.execute(query).scalar_one_or_none()

    def do_due(self, session: Session, moment: datetime) -> None:
        """Remind people of what is due. Another process that does the same finds that `fired_at` is set."""
        is_due = _IS_TO_FIRE & (REMINDERS.c.due_at <= moment)
        ids = session.scalars(select(REMINDERS.c.id).where(is_due).order_by(*_ORDER).limit(MAX_FIRED)).all()
        if not ids:
            return

        def change(transaction: Transaction) -> None:
            session = transaction.session
            fired = session.scalars(
                update(REMINDERS)
                .where(is_due, REMINDERS.c.id.in_(ids))
                .values(fired_at=now())
                .returning(REMINDERS.c.id)
            ).all()
            rows = session.execute(_SELECT.where(REMINDERS.c.id.in_(fired)).order_by(*_ORDER))
            for row in rows.all():
                transaction.send_on_commit(reminder_changed, ReminderRow.of(row).to_change("due"))

        write(change)
