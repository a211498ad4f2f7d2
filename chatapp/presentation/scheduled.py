"""Scheduled messages and reminders as JSON."""

from collections.abc import Sequence
from urllib.parse import quote

from chatapp.files.attached import AttachedFile
from chatapp.presentation import resources
from chatapp.presentation.files import ShownFile, sort_shown
from chatapp.presentation.messages import isoformat, present_file
from chatapp.schedule.reminders import ReminderEntry
from chatapp.schedule.scheduled import Scheduled


def present_scheduled(scheduled: Scheduled) -> resources.ScheduledMessage:
    """Return the JSON of a scheduled message."""
    data: resources.ScheduledMessage = {
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
    if scheduled.files:
        data["files"] = [present_file(file, _file_path(scheduled, file)) for file in scheduled.files]
    return data


def list_scheduled_files(scheduled: Scheduled) -> Sequence[ShownFile]:
    """Return the files of a scheduled message, pictures first."""
    return sort_shown(ShownFile(file, _file_path(scheduled, file)) for file in scheduled.files)


def _file_path(scheduled: Scheduled, file: AttachedFile) -> str:
    """Return the path of a file that only the author of the message can request."""
    return f"/scheduled/{scheduled.id}/files/{file.digest}/{quote(file.name, safe='')}"


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
