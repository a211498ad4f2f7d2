"""The page of a room's webhooks, and the URLs to which bots post."""

from contextlib import ExitStack

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from chatapp.conversations.policy import authorize_management, authorize_reading
from chatapp.conversations.queries import find_access
from chatapp.conversations.refs import parse_ref, room_ref
from chatapp.errors import ChatError, Invalid
from chatapp.extensions import csrf, db, get_client_network
from chatapp.identity import current_person, login_required
from chatapp.limits.rates import SEARCHES, UNKNOWN_WEBHOOKS, WEBHOOK_POSTS, count_use
from chatapp.models import Conversation, IncomingWebhook, OutgoingWebhook
from chatapp.presentation.forms import ViewResponse
from chatapp.presentation.messages import present_message_data
from chatapp.presentation.urls import ID
from chatapp.timeline.posted_files import NO_FILES, PostedFiles
from chatapp.web.caching import revalidated
from chatapp.web.form_files import stored_form_files
from chatapp.webhooks import service
from chatapp.webhooks.forms import CommandForm, IncomingWebhookForm, OutgoingWebhookForm
from chatapp.webhooks.queries import find_incoming, is_sending, list_commands, list_incoming, list_outgoing

blueprint = Blueprint("webhooks", __name__)

PATH = f"/rooms/<{ID}:room_id>/webhooks"


@blueprint.get(PATH)
@login_required
def index(room_id: int) -> str:
    """Show a room's webhooks to its managers."""
    return _render(_get_room(room_id))


@blueprint.post(PATH)
@login_required
def add_outgoing(room_id: int) -> ViewResponse:
    """Add an outgoing webhook and show its secret once."""
    form, room = OutgoingWebhookForm(), _get_room(room_id)
    with form.show_errors():
        if form.validate():
            actor = current_person().actor
            secret = service.add_outgoing(
                actor, room_id, form.text(form.name), form.text(form.url), form.text(form.command)
            )
            return _render(room, secret=secret)
    return _render(room, outgoing_form=form), form.status


@blueprint.get("/conversations/<conversation>/commands")
@login_required
@revalidated
def commands(conversation: str) -> str:
    """Return the HTML of the commands that call the webhooks of a conversation, for its members."""
    room = authorize_reading(*find_access(db.session(), parse_ref(conversation), current_person().id))
    count_use(SEARCHES, current_person().id)
    return render_template("webhooks/_commands.html", webhooks=list_commands(db.session(), room))


@blueprint.post(f"{PATH}/<{ID}:webhook_id>/remove")
@login_required
def remove_outgoing(room_id: int, webhook_id: int) -> Response:
    """Delete an outgoing webhook."""
    service.remove(current_person().actor, room_id, OutgoingWebhook, webhook_id)
    flash("The webhook was deleted.")
    return redirect(url_for("webhooks.index", room_id=room_id))


@blueprint.post(f"{PATH}/<{ID}:webhook_id>/command")
@login_required
def change_command(room_id: int, webhook_id: int) -> ViewResponse:
    """Set the command of an outgoing webhook, or remove it."""
    form, room = CommandForm(), _get_room(room_id)
    with form.show_errors():
        if form.validate():
            service.change_command(current_person().actor, room_id, webhook_id, form.text(form.command))
            flash("The command was changed.")
            return redirect(url_for("webhooks.index", room_id=room_id))
    return _render(room, command_form=form), form.status


@blueprint.post(f"{PATH}/incoming")
@login_required
def add_incoming(room_id: int) -> ViewResponse:
    """Add an incoming webhook and show its URL once."""
    form, room = IncomingWebhookForm(), _get_room(room_id)
    with form.show_errors():
        if form.validate():
            token = service.add_incoming(
                current_person().actor,
                room_id,
                form.text(form.bot_name),
                has_slack_notation=bool(form.has_slack_notation.data),
            )
            return _render(room, token=token)
    return _render(room, incoming_form=form), form.status


@blueprint.post(f"{PATH}/incoming/<{ID}:webhook_id>/remove")
@login_required
def remove_incoming(room_id: int, webhook_id: int) -> Response:
    """Delete an incoming webhook."""
    service.remove(current_person().actor, room_id, IncomingWebhook, webhook_id)
    flash("The webhook was deleted. Its URL no longer works.")
    return redirect(url_for("webhooks.index", room_id=room_id))


@blueprint.post(f"{PATH}/<{ID}:webhook_id>/adopt")
@login_required
def adopt_outgoing(room_id: int, webhook_id: int) -> str:
    """Make the user responsible for a suspended outgoing webhook, and show its new secret once."""
    secret = service.adopt(current_person().actor, room_id, OutgoingWebhook, webhook_id)
    return _render(_get_room(room_id), secret=secret)


@blueprint.post(f"{PATH}/incoming/<{ID}:webhook_id>/adopt")
@login_required
def adopt_incoming(room_id: int, webhook_id: int) -> str:
    """Make the user responsible for a suspended incoming webhook, and show its new URL once."""
    token = service.adopt(current_person().actor, room_id, IncomingWebhook, webhook_id)
    return _render(_get_room(room_id), token=token)


@blueprint.post("/hooks/<token>")
def post(token: str) -> tuple[dict[str, object], int]:
    """Post a text and files to the room of an incoming webhook.

    The body is plain text, a form with `text` and any number of `file`, or JSON `{"text": …}`. With the same
    `Idempotency-Key` a message is posted once.
    """
    webhook = find_incoming(db.session(), token)
    if webhook is None:
        count_use(UNKNOWN_WEBHOOKS, get_client_network())
        raise service.no_such_webhook()
    count_use(WEBHOOK_POSTS, webhook.id)
    db.session.remove()  # A slow client must not occupy a connection to the database.
    request.get_data()
    with ExitStack() as stored:
        posted = _store_files(token, stored) if request.files else NO_FILES
        message = service.post_by_webhook(token, _read_text(), request.headers.get("Idempotency-Key"), posted)
    return {"message": present_message_data(message)}, 201


csrf.exempt(post)  # Programs send these requests, without a cookie.


def _store_files(token: str, stored: ExitStack) -> PostedFiles:
    """Store the files of the form until `stored` is closed.

    What is wrong with them is raised later: the message may be stored already.
    """
    webhook = find_incoming(db.session(), token)
    if webhook is None:
        raise service.no_such_webhook()
    uploader_id = service.require_uploader(webhook)
    try:
        return PostedFiles(stored.enter_context(stored_form_files(uploader_id)))
    except ChatError as error:
        return PostedFiles(error=error)


def _read_text() -> object:
    if request.is_json:
        content = request.get_json(silent=True)
        if not isinstance(content, dict) or "text" not in content:
            raise Invalid("The body must be a JSON object with the key “text”.")
        return content["text"]
    body = request.get_data()
    if "text" in request.form or request.files:
        return request.form.get("text", "")
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise Invalid("The body must be UTF-8.") from None


def _get_room(room_id: int) -> Conversation:
    """Return a room that the user manages. Raises `NotFound`, `Forbidden`."""
    return authorize_management(*find_access(db.session(), room_ref(room_id), current_person().id))


def _render(
    room: Conversation,
    *,
    outgoing_form: OutgoingWebhookForm | None = None,
    secret: str | None = None,
    incoming_form: IncomingWebhookForm | None = None,
    token: str | None = None,
    command_form: CommandForm | None = None,
) -> str:
    """Render the page, with the secret of an outgoing webhook or the token of an incoming one if it is new."""
    return render_template(
        "webhooks/index.html",
        room=room,
        outgoing=list_outgoing(db.session(), room),
        incoming=list_incoming(db.session(), room),
        outgoing_form=outgoing_form or OutgoingWebhookForm(formdata=None),
        incoming_form=incoming_form or IncomingWebhookForm(formdata=None),
        command_form=command_form or CommandForm(formdata=None),
        is_sending=is_sending(db.session()),
        secret=secret,
        webhook_url=token and url_for("webhooks.post", token=token, _external=True),
    )
