"""Events of scheduled messages and reminders."""

from pydantic import Field

from chatapp.conversations.refs import parse_ref
from chatapp.presentation.messages import present_message
from chatapp.presentation.scheduled import present_reminder, present_scheduled
from chatapp.realtime.handlers import Ack, Caller, EventNumber, Payload, RemovedFiles, handles
from chatapp.schedule.reminders import finish_reminder, move_reminder, remind
from chatapp.schedule.service import change_scheduled, delete_scheduled, schedule, send_now
from chatapp.timeline.metadata import UNCHANGED
from chatapp.timeline.posted_files import find_posted_files


class SchedulePayload(Payload):
    """Payload of `schedule_message`. `schedule` validates content, client id and time, `find_posted_files` files."""

    conversation: object
    content: object = None
    client_id: object = None
    due_at: object = None
    reply_to: EventNumber | None = None
    thread: EventNumber | None = None
    also_in_room: bool = False
    files: object = None


class ChangePayload(Payload):
    """Payload of `change_scheduled`. `change_scheduled` validates content and time."""

    id: EventNumber
    content: object = UNCHANGED
    due_at: object = UNCHANGED
    removed_files: RemovedFiles = Field([])
    added_files: object = None


class IdPayload(Payload):
    """Payload of `delete_scheduled`, `send_scheduled` and `finish_reminder`."""

    id: EventNumber


class RemindPayload(Payload):
    """Payload of `remind_me`. `remind` validates content, client id and time."""

    content: object = None
    client_id: object = None
    due_at: object = None
    conversation: object = None
    seq: EventNumber | None = None


class MovePayload(Payload):
    """Payload of `move_reminder`, which validates the time."""

    id: EventNumber
    due_at: object = None


@handles("schedule_message", SchedulePayload)
def schedule_message(caller: Caller, payload: SchedulePayload) -> Ack:
    """Schedule a message."""
    scheduled = schedule(
        parse_ref(payload.conversation),
        caller.user.actor,
        content=payload.content,
        client_id=payload.client_id,
        due_at=payload.due_at,
        reply_to=payload.reply_to,
        thread_root=payload.thread,
        is_in_room=payload.also_in_room,
        posted=find_posted_files(caller.user.id, payload.files),
    )
    return {"scheduled": present_scheduled(scheduled)}


@handles("change_scheduled", ChangePayload)
def change(caller: Caller, payload: ChangePayload) -> Ack:
    """Change the text, the time or the files of a scheduled message."""
    changed = change_scheduled(
        caller.user.actor,
        payload.id,
        content=payload.content,
        due_at=payload.due_at,
        removed_files=payload.removed_files,
        added=find_posted_files(caller.user.id, payload.added_files),
    )
    return {"scheduled": present_scheduled(changed)}


@handles("delete_scheduled", IdPayload)
def delete(caller: Caller, payload: IdPayload) -> None:
    """Delete a scheduled message."""
    delete_scheduled(caller.user.actor, payload.id)


@handles("send_scheduled", IdPayload)
def send(caller: Caller, payload: IdPayload) -> Ack:
    """Send a scheduled message now."""
    return {"message": present_message(send_now(caller.user.actor, payload.id)).with_html}


@handles("remind_me", RemindPayload)
def remind_me(caller: Caller, payload: RemindPayload) -> Ack:
    """Set a reminder."""
    reminder = remind(
        caller.user.actor,
        content=payload.content,
        client_id=payload.client_id,
        due_at=payload.due_at,
        ref=None if payload.conversation is None else parse_ref(payload.conversation),
        seq=payload.seq,
    )
    return {"reminder": present_reminder(reminder)}


@handles("move_reminder", MovePayload)
def move(caller: Caller, payload: MovePayload) -> Ack:
    """Give a reminder another time."""
    return {"reminder": present_reminder(move_reminder(caller.user.actor, payload.id, payload.due_at))}


@handles("finish_reminder", IdPayload)
def finish(caller: Caller, payload: IdPayload) -> None:
    """Remove a reminder that is done."""
    finish_reminder(caller.user.actor, payload.id)
