"""Scheduled messages and reminders as JSON."""

from chatapp.presentation import resources
from chatapp.presentation.messages import isoformat
from chatapp.schedule.reminders import ReminderEntry
from chatapp.schedule.scheduled import Scheduled


def present_scheduled(scheduled: Scheduled) -> resources.ScheduledMessage:
    """Return the JSON of a scheduled message."""
    return {
        "id": scheduled.id,
        "conversation": scheduled.conversation.wire_name if scheduled.conversation else None,
        "content": scheduled.content,
        "client_id": scheduled.client_id,
        "due_at": isoformat(scheduled.due_at),
        "problem": scheduled.problem,
        "reply_to": scheduled.reply_to,
        "thread": scheduled.thread_root,
        "also_in_room": scheduled.thread_root is not None and scheduled.is_in_room,
        "created_at": isoformat(scheduled.created_at),
    }


def present_reminder(reminder: ReminderEntry) -> resources.Reminder:
    """Return the JSON of a reminder, without the message that it is about: the person may have lost access to it."""
    return {
        "id": reminder.id,
        "content": reminder.content,
        "conversation": reminder.conversation.wire_name if reminder.conversation else None,
        "seq": reminder.seq,
        "due_at": isoformat(reminder.due_at),
        "fired_at": isoformat(reminder.fired_at),
        "created_at": isoformat(reminder.created_at),
    }
