"""Reminders: of a text, of a message, or of both."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any, Self

from sqlalchemy import Row, delete, insert, select, update
from sqlalchemy.orm import Session

from chatapp.actors import Actor, require_active_login
from chatapp.config import current_settings
from chatapp.conversations.policy import authorize_reading, may_read
from chatapp.conversations.queries import find_access, find_access_of
from chatapp.conversations.refs import ConversationRef
from chatapp.conversations.service import lock_people
from chatapp.errors import Conflict, Invalid, NotFound
from chatapp.models import Reminder, now
from chatapp.schedule.entries import Entries, ref_of
from chatapp.schedule.phrases import split_reminder
from chatapp.schedule.signals import ReminderChanged, ReminderState, reminder_changed
from chatapp.schedule.times import check_due_at
from chatapp.storage import Transaction, write
from chatapp.timeline import TimelineMessage
from chatapp.timeline.client_ids import check_client_id
from chatapp.timeline.content import check_content
from chatapp.timeline.messages import fetch_messages_by_seq

MAX_CHARS = 1_000
"""Maximum length of the text of a reminder."""

MAX_FIRED = 100
"""Maximum number of reminders that become due together."""


@dataclass(frozen=True, slots=True)
class ReminderEntry:
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
            conversation=ref_of(row),
            seq=row.seq,
            due_at=row.due_at,
            fired_at=row.fired_at,
            created_at=row.created_at,
        )

    def to_change(self, state: ReminderState) -> ReminderChanged:
        """Return the payload of the signal `reminder_changed`."""
        wire_name = self.conversation.wire_name if self.conversation else None
        return ReminderChanged(self.user_id, self.id, state, self.content, wire_name, self.seq)


def _load(_: Session, rows: Sequence[Row[Any]]) -> list[ReminderEntry]:
    return [ReminderEntry.of(row) for row in rows]


REMINDERS = Entries(Reminder, _load, waits=Reminder.fired_at.is_(None), missing="There is no such reminder.")

_TABLE = REMINDERS.table


def read_messages(session: Session, user_id: int, reminders: Sequence[ReminderEntry]) -> dict[int, TimelineMessage]:
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
) -> ReminderEntry:
    """Store a reminder of a text, of a message of a conversation, or of both, and return it.

    A repeated `client_id` returns the reminder that is stored under it.

    Raises what `check_content`, `check_client_id` and `check_due_at` raise, what `authorize_reading` raises and
    `NotFound` for the message, `Invalid` if there is nothing to remind of, `Conflict` if the person has as many as the
    setting allows, and `SignedOut`.
    """
    settings, key = current_settings(), check_client_id(client_id)
    if (ref is None) != (seq is None):
        raise Invalid("Give the conversation and the seq of a message, or neither of them.")
    text = "" if seq is not None and content in (None, "") else check_content(content, MAX_CHARS, "A reminder")
    moment = check_due_at(due_at, max_days=settings.max_schedule_days)

    def change(transaction: Transaction) -> ReminderEntry:
        session = transaction.session
        require_active_login(session, actor)
        # The number of their reminders is limited, and two processes cannot insert the same one.
        session.execute(lock_people([actor.user_id]))
        if known := REMINDERS.find_by_client_id(session, actor.user_id, key):
            return known
        if ref is not None and seq is not None:
            authorize_reading(*find_access_of(session, ref, actor))
            if not any(message.deleted_at is None for message in fetch_messages_by_seq(session, ref, [seq])):
                raise NotFound("This message does not exist, or was deleted.")
        if REMINDERS.count(session, actor.user_id) >= settings.max_scheduled:
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
        reminder_id = session.execute(insert(_TABLE).values(values).returning(_TABLE.c.id)).scalar_one()
        reminder = REMINDERS.find(session, actor.user_id, reminder_id)
        transaction.send_on_commit(reminder_changed, reminder.to_change("scheduled"))
        return reminder

    return write(change)


def remind_by_text(actor: Actor, text: str, zone: tzinfo) -> ReminderEntry:
    """Store the reminder of a text such as “me to call Ana tomorrow at 9:00”: see `split_reminder` and `remind`."""
    about, due_at = split_reminder(text, now(), zone)
    return remind(actor, content=about, client_id=str(uuid.uuid4()), due_at=due_at)


def move_reminder(actor: Actor, reminder_id: int, due_at: object) -> ReminderEntry:
    """Give a reminder another time, also one that was due. Raises what `check_due_at` raises and `NotFound`."""
    moment = check_due_at(due_at, max_days=current_settings().max_schedule_days)

    def change(transaction: Transaction, _: ReminderEntry) -> ReminderEntry:
        session = transaction.session
        values = {"due_at": moment, "fired_at": None}
        session.execute(update(_TABLE).where(_TABLE.c.id == reminder_id).values(values))
        moved = REMINDERS.find(session, actor.user_id, reminder_id)
        transaction.send_on_commit(reminder_changed, moved.to_change("scheduled"))
        return moved

    return REMINDERS.change(actor, reminder_id, change)


def finish_reminder(actor: Actor, reminder_id: int) -> None:
    """Remove a reminder, because it is done or not wanted any more. Raises `NotFound`."""

    def change(transaction: Transaction, reminder: ReminderEntry) -> None:
        transaction.session.execute(delete(_TABLE).where(_TABLE.c.id == reminder_id))
        transaction.send_on_commit(reminder_changed, reminder.to_change("done"))

    REMINDERS.change(actor, reminder_id, change)


class DueReminders:
    """The work of reminding people."""

    def find_next(self, session: Session) -> datetime | None:
        """Return the time at which the next reminder is due."""
        return REMINDERS.find_next_due_at(session)

    def do_due(self, session: Session, moment: datetime) -> None:
        """Remind people of what is due. Another process that does the same finds that `fired_at` is set."""
        is_due = REMINDERS.is_due(moment)
        ids = session.scalars(select(_TABLE.c.id).where(is_due).order_by(*REMINDERS.order).limit(MAX_FIRED)).all()
        if not ids:
            return

        def change(transaction: Transaction) -> None:
            session = transaction.session
            fired = session.scalars(
                update(_TABLE).where(is_due, _TABLE.c.id.in_(ids)).values(fired_at=now()).returning(_TABLE.c.id)
            ).all()
            rows = session.execute(REMINDERS.select.where(_TABLE.c.id.in_(fired)).order_by(*REMINDERS.order))
            for row in rows.all():
                transaction.send_on_commit(reminder_changed, ReminderEntry.of(row).to_change("due"))

        write(change)
