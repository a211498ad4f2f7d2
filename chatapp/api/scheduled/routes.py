"""The scheduled messages and the reminders of the user."""

from http import HTTPStatus

from flask import Blueprint, Response, url_for
from werkzeug.wrappers import Response as BaseResponse

from chatapp.api import resources
from chatapp.api.access import current_caller, protect
from chatapp.api.document import CONTENT_ERRORS, CONVERSATION_ERRORS, WRITE_ERRORS, describe
from chatapp.api.responses import list_fields, make_links, respond
from chatapp.api.routes import CONVERSATION, parse_conversation
from chatapp.api.schemas import (
    CursorQuery,
    FileQuery,
    IdempotencyHeaders,
    NewReminder,
    NewScheduledMessage,
    ReminderUpdate,
    ScheduledUpdate,
    parse_id,
    resolve_client_id,
)
from chatapp.errors import Conflict, InvalidReply, InvalidUpload, NotFound, ThreadRemoved
from chatapp.extensions import db
from chatapp.presentation.messages import present_message_data
from chatapp.presentation.resources import Message, Reminder, ScheduledMessage
from chatapp.presentation.scheduled import present_reminder, present_scheduled
from chatapp.schedule.reminders import REMINDERS, finish_reminder, move_reminder, remind
from chatapp.schedule.scheduled import SCHEDULED
from chatapp.schedule.service import change_scheduled, delete_scheduled, schedule, send_now
from chatapp.web.files_origin import respond_with_file

blueprint = Blueprint("api_scheduled", __name__, url_prefix="/api")
protect(blueprint)

TAG = "Scheduled messages"
REMINDERS_TAG = "Reminders"


@blueprint.get("/scheduled")
@describe(resources.ScheduledMessages, tag=TAG, query=CursorQuery)
def list_scheduled_messages(query: CursorQuery) -> Response:
    """List your scheduled messages, soonest first."""
    user_id = current_caller().actor.user_id
    page = SCHEDULED.read_page(db.session(), user_id, before=query.before, after=query.after, limit=query.limit)
    links = make_links(query, page)
    body: resources.ScheduledMessages = {
        **list_fields(SCHEDULED.count(db.session(), user_id), query, links),
        "scheduled": [present_scheduled(each) for each in page.items],
    }
    return respond(body, Link=links.header)


@blueprint.post(f"{CONVERSATION}/scheduled")
@describe(
    ScheduledMessage,
    *CONVERSATION_ERRORS,
    *WRITE_ERRORS,
    *CONTENT_ERRORS,
    InvalidReply,
    InvalidUpload,
    ThreadRemoved,
    tag=TAG,
    status=HTTPStatus.CREATED,
    json=NewScheduledMessage,
    headers=IdempotencyHeaders,
)
def schedule_message(conversation: str, json: NewScheduledMessage, headers: IdempotencyHeaders) -> Response:
    """Schedule a message: it is sent at the time `due_at`.

    Whether you may post is also checked then. If not, the message stays here with its `problem`. Repeating the request
    with the same `client_id` or `Idempotency-Key` replaces the message while it is not due.
    """
    ref, actor = parse_conversation(conversation), current_caller().actor
    scheduled = schedule(
        ref,
        actor,
        content=json.content,
        client_id=resolve_client_id(json.client_id, headers.idempotency_key),
        due_at=json.due_at,
        reply_to=json.reply_to,
        thread_root=json.thread,
        is_in_room=json.also_in_room,
        posted=json.find_files(actor.user_id),
    )
    location = url_for("api_scheduled.show_scheduled", scheduled_id=scheduled.id)
    return respond(present_scheduled(scheduled), HTTPStatus.CREATED, Location=location)


@blueprint.get("/scheduled/<scheduled_id>")
@describe(ScheduledMessage, NotFound, tag=TAG)
def show_scheduled(scheduled_id: str) -> Response:
    """Get one of your scheduled messages."""
    scheduled = SCHEDULED.find(db.session(), current_caller().actor.user_id, _parse(scheduled_id))
    return respond(present_scheduled(scheduled))


@blueprint.patch("/scheduled/<scheduled_id>")
@describe(ScheduledMessage, NotFound, *CONTENT_ERRORS, InvalidUpload, tag=TAG, json=ScheduledUpdate)
def update_scheduled(scheduled_id: str, json: ScheduledUpdate) -> Response:
    """Change the text, the time or the files of a scheduled message. One with a `problem` waits for its new time."""
    actor = current_caller().actor
    changed = change_scheduled(
        actor,
        _parse(scheduled_id),
        content=json.get_changed("content"),
        due_at=json.get_changed("due_at"),
        removed_files=json.removed_files,
        added=json.find_added_files(actor.user_id),
    )
    return respond(present_scheduled(changed))


@blueprint.get("/scheduled/<scheduled_id>/files/<digest>/<name>")
@describe(None, NotFound, tag=TAG, query=FileQuery, is_file=True)
def download_scheduled_file(scheduled_id: str, digest: str, name: str, query: FileQuery) -> BaseResponse:
    """Download a file of one of your scheduled messages, as those of messages."""
    reader_id = current_caller().actor.user_id
    file = SCHEDULED.find(db.session(), reader_id, _parse(scheduled_id)).get_file(digest, name)
    return respond_with_file(file, query.size or "", reader_id=reader_id)


@blueprint.delete("/scheduled/<scheduled_id>")
@describe(None, NotFound, tag=TAG, status=HTTPStatus.NO_CONTENT)
def delete_scheduled_message(scheduled_id: str) -> Response:
    """Delete a scheduled message."""
    delete_scheduled(current_caller().actor, _parse(scheduled_id))
    return Response(status=HTTPStatus.NO_CONTENT)


@blueprint.post("/scheduled/<scheduled_id>/send")
@describe(Message, *CONVERSATION_ERRORS, *WRITE_ERRORS, InvalidReply, ThreadRemoved, tag=TAG)
def send_scheduled_message(scheduled_id: str) -> Response:
    """Send a scheduled message now. If that fails, it stays scheduled."""
    return respond(present_message_data(send_now(current_caller().actor, _parse(scheduled_id))))


@blueprint.get("/reminders")
@describe(resources.Reminders, tag=REMINDERS_TAG, query=CursorQuery)
def list_own_reminders(query: CursorQuery) -> Response:
    """List your reminders, soonest first: those that are due, then the others."""
    user_id = current_caller().actor.user_id
    page = REMINDERS.read_page(db.session(), user_id, before=query.before, after=query.after, limit=query.limit)
    links = make_links(query, page)
    body: resources.Reminders = {
        **list_fields(REMINDERS.count(db.session(), user_id), query, links),
        "reminders": [present_reminder(each) for each in page.items],
    }
    return respond(body, Link=links.header)


@blueprint.post("/reminders")
@describe(
    Reminder,
    *CONVERSATION_ERRORS,
    *CONTENT_ERRORS,
    Conflict,
    tag=REMINDERS_TAG,
    status=HTTPStatus.CREATED,
    json=NewReminder,
    headers=IdempotencyHeaders,
)
def create_reminder(json: NewReminder, headers: IdempotencyHeaders) -> Response:
    """Set a reminder of a text, of a message that you may read, or of both."""
    reminder = remind(
        current_caller().actor,
        content=json.content,
        client_id=resolve_client_id(json.client_id, headers.idempotency_key),
        due_at=json.due_at,
        ref=None if json.conversation is None else parse_conversation(json.conversation),
        seq=json.seq,
    )
    location = url_for("api_scheduled.show_reminder", reminder_id=reminder.id)
    return respond(present_reminder(reminder), HTTPStatus.CREATED, Location=location)


@blueprint.get("/reminders/<reminder_id>")
@describe(Reminder, NotFound, tag=REMINDERS_TAG)
def show_reminder(reminder_id: str) -> Response:
    """Get one of your reminders."""
    reminder = REMINDERS.find(db.session(), current_caller().actor.user_id, _parse_reminder(reminder_id))
    return respond(present_reminder(reminder))


@blueprint.patch("/reminders/<reminder_id>")
@describe(Reminder, NotFound, tag=REMINDERS_TAG, json=ReminderUpdate)
def update_reminder(reminder_id: str, json: ReminderUpdate) -> Response:
    """Give a reminder another time, also one that was due."""
    return respond(present_reminder(move_reminder(current_caller().actor, _parse_reminder(reminder_id), json.due_at)))


@blueprint.delete("/reminders/<reminder_id>")
@describe(None, NotFound, tag=REMINDERS_TAG, status=HTTPStatus.NO_CONTENT)
def delete_reminder(reminder_id: str) -> Response:
    """Remove a reminder that is done."""
    finish_reminder(current_caller().actor, _parse_reminder(reminder_id))
    return Response(status=HTTPStatus.NO_CONTENT)


def _parse(scheduled_id: str) -> int:
    return parse_id(scheduled_id, "scheduled message")


def _parse_reminder(reminder_id: str) -> int:
    return parse_id(reminder_id, "reminder")
