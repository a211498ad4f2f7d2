"""The page with a person's scheduled messages and reminders. It works without JavaScript."""

from collections.abc import Sequence

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from chatapp.conversations.policy import authorize_reading, may_read
from chatapp.conversations.queries import find_access
from chatapp.conversations.refs import ConversationRef
from chatapp.errors import ChatError, NotFound, SignedOut, Unavailable
from chatapp.extensions import db
from chatapp.identity import current_person, login_required
from chatapp.presentation.kinds import ConversationPage, pages_of
from chatapp.presentation.reader_clock import current_clock
from chatapp.presentation.urls import ID
from chatapp.schedule import reminders as service
from chatapp.schedule.reminders import REMINDERS, ReminderEntry, read_messages
from chatapp.schedule.scheduled import SCHEDULED, Scheduled
from chatapp.schedule.service import change_scheduled, delete_scheduled, send_now
from chatapp.storage import ListPage
from chatapp.timeline.metadata import UNCHANGED
from chatapp.timeline.posted_files import PostedFiles
from chatapp.timeline.references import message_path
from chatapp.web.caching import revalidated
from chatapp.web.files_origin import respond_with_requested
from chatapp.web.form_files import stored_form_files

blueprint = Blueprint("scheduled", __name__)

PAGE_SIZE = 50
"""Number of scheduled messages on a page."""


@blueprint.get("/scheduled")
@login_required
@revalidated
def index() -> str:
    """Show the messages that the user has scheduled, and their reminders. Further pages have more of one of them."""
    session, user_id = db.session(), current_person().id
    after, after_reminder = request.args.get("after"), request.args.get("after_reminder")
    return _render(
        None if after_reminder else SCHEDULED.read_page(session, user_id, after=after, limit=PAGE_SIZE),
        None if after else REMINDERS.read_page(session, user_id, after=after_reminder, limit=PAGE_SIZE),
    )


@blueprint.post(f"/scheduled/<{ID}:scheduled_id>")
@login_required
def change(scheduled_id: int) -> Response | tuple[str, int]:
    """Change the text, the time and the files of a scheduled message."""
    form, person = request.form, current_person()
    # The field has minutes only, and the time of a message that was not sent has passed.
    is_moved = form.get("due_at") != form.get("shown_due_at")
    try:
        with stored_form_files(person.id) as files:
            change_scheduled(
                person.actor,
                scheduled_id,
                content=form.get("content", ""),
                due_at=current_clock().parse_local(form.get("due_at", "")) if is_moved else UNCHANGED,
                removed_files=form.getlist("removed_files"),
                added=PostedFiles(files),
            )
    except ChatError as error:
        return _render_refused(scheduled_id, error, form)
    return _redirect()


@blueprint.get(f"/scheduled/<{ID}:scheduled_id>/files/<digest>/<name>")
@login_required
def show_file(scheduled_id: int, digest: str, name: str) -> Response:
    """Send a file of a scheduled message to its author, as those of messages are sent."""
    reader_id = current_person().id
    file = SCHEDULED.find(db.session(), reader_id, scheduled_id).get_file(digest, name)
    return respond_with_requested(file, reader_id=reader_id)


@blueprint.post(f"/scheduled/<{ID}:scheduled_id>/send")
@login_required
def send(scheduled_id: int) -> Response | tuple[str, int]:
    """Send a scheduled message now, and show it."""
    try:
        message = send_now(current_person().actor, scheduled_id)
    except ChatError as error:
        return _render_refused(scheduled_id, error)
    return redirect(message_path(message.conversation.wire_name, message.seq or 0), code=303)


@blueprint.post(f"/scheduled/<{ID}:scheduled_id>/delete")
@login_required
def delete(scheduled_id: int) -> Response:
    """Delete a scheduled message."""
    delete_scheduled(current_person().actor, scheduled_id)
    return _redirect()


@blueprint.post(f"/reminders/<{ID}:reminder_id>")
@login_required
def move_reminder(reminder_id: int) -> Response:
    """Give a reminder another time."""
    service.move_reminder(
        current_person().actor, reminder_id, current_clock().parse_local(request.form.get("due_at", ""))
    )
    return _redirect()


@blueprint.post(f"/reminders/<{ID}:reminder_id>/done")
@login_required
def finish_reminder(reminder_id: int) -> Response:
    """Remove a reminder that is done."""
    service.finish_reminder(current_person().actor, reminder_id)
    return _redirect()


def _render_refused(scheduled_id: int, error: ChatError, form: MultiDict[str, str] | None = None) -> tuple[str, int]:
    """Show a message with the error of what was tried, and what was written. The message may be gone.

    Raises `SignedOut` and `Unavailable` again, and `NotFound` if nothing was written.
    """
    if isinstance(error, SignedOut | Unavailable):
        raise error
    try:
        scheduled = SCHEDULED.find(db.session(), current_person().id, scheduled_id)
    except NotFound:
        if form is None:
            raise
        # It was sent while its author was editing it.
        return _render(None, None, error=error, unsaved=form.get("content", "")), error.status
    return _render(ListPage([scheduled]), None, error=error, form=form), error.status


def _render(
    messages: ListPage[Scheduled] | None,
    reminders: ListPage[ReminderEntry] | None,
    *,
    error: ChatError | None = None,
    form: MultiDict[str, str] | None = None,
    unsaved: str = "",
) -> str:
    """Show messages, reminders or both; or what somebody has written for a message that is gone."""
    return render_template(
        "messages/scheduled.html",
        messages=messages,
        pages=_find_pages(messages.items) if messages else [],
        reminders=reminders,
        reminded=read_messages(db.session(), current_person().id, reminders.items) if reminders else {},
        clock=current_clock(),
        error=error,
        form=form,
        unsaved=unsaved,
    )


def _find_pages(shown: Sequence[Scheduled]) -> list[ConversationPage | None]:
    """Return the page of the conversation of each message; None if the user may no longer read it."""
    session, viewer = db.session(), current_person()
    accesses = [find_access(session, ref, viewer.id) for ref in {each.conversation for each in shown} if ref]
    readable = [authorize_reading(*access) for access in accesses if may_read(*access)]
    pages = {ConversationRef.of(page.conversation): page for page in pages_of(session, readable, viewer.id)}
    return [pages.get(each.conversation) if each.conversation else None for each in shown]


def _redirect() -> Response:
    return redirect(url_for("scheduled.index"), code=303)
