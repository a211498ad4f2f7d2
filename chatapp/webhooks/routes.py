"""The page of a room's webhooks, and the addresses at which bots post."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from chatapp.conversations.names import room_name
from chatapp.conversations.policy import authorize_management
from chatapp.conversations.queries import find_access
from chatapp.errors import Invalid
from chatapp.extensions import csrf, db, limiter
from chatapp.identity import current_person, login_required
from chatapp.presentation.forms import ViewResponse
from chatapp.presentation.messages import present_message_data
from chatapp.presentation.urls import ID
from chatapp.tokens import hash_token
from chatapp.webhooks import service
from chatapp.webhooks.forms import IncomingForm, WebhookForm
from chatapp.webhooks.queries import list_incoming, list_webhooks

blueprint = Blueprint("webhooks", __name__)

PATH = f"/rooms/<{ID}:room_id>/webhooks"


@blueprint.get(PATH)
@login_required
def index(room_id: int) -> str:
    """Show a room's webhooks to its managers."""
    return _render_webhooks(room_id)


@blueprint.post(PATH)
@login_required
def add(room_id: int) -> ViewResponse:
    """Make a webhook; its secret is shown this once."""
    form = WebhookForm()
    _permit(room_id)
    with form.show_errors():
        if form.validate():
            secret = service.add_webhook(current_person().actor, room_id, form.text(form.name), form.text(form.url))
            return _render_webhooks(room_id, secret=secret)
    return _render_webhooks(room_id, form=form), form.status


@blueprint.post(f"{PATH}/<{ID}:webhook_id>/remove")
@login_required
def remove(room_id: int, webhook_id: int) -> Response:
    """Remove a webhook."""
    service.remove_webhook(current_person().actor, room_id, webhook_id)
    flash("The webhook is removed.")
    return redirect(url_for("webhooks.index", room_id=room_id))


@blueprint.post(f"{PATH}/incoming")
@login_required
def add_incoming(room_id: int) -> ViewResponse:
    """Make an incoming webhook; its address is shown this once."""
    form = IncomingForm()
    _permit(room_id)
    with form.show_errors():
        if form.validate():
            token = service.add_incoming(current_person().actor, room_id, form.text(form.bot_name))
            return _render_webhooks(room_id, address=url_for("webhooks.post", token=token, _external=True))
    return _render_webhooks(room_id, incoming_form=form), form.status


@blueprint.post(f"{PATH}/incoming/<{ID}:webhook_id>/remove")
@login_required
def remove_incoming(room_id: int, webhook_id: int) -> Response:
    """Remove an incoming webhook."""
    service.remove_incoming(current_person().actor, room_id, webhook_id)
    flash("The webhook is removed: its address posts nothing any more.")
    return redirect(url_for("webhooks.index", room_id=room_id))


@blueprint.post("/hooks/<token>")
@limiter.limit("60/minute", key_func=lambda: f"hook {hash_token(request.path)}")
def post(token: str) -> tuple[dict[str, object], int]:
    """Post a text to the room that the address is of.

    Plain text, a form with `text`, or JSON `{"text": …}`. Under one `Idempotency-Key` it is posted once.
    """
    message = service.post_by_webhook(token, _read_text(), request.headers.get("Idempotency-Key"))
    return {"message": present_message_data(message)}, 201


csrf.exempt(post)  # Programs post there, and no browser's cookie is asked for.


def _read_text() -> object:
    if request.is_json:
        told = request.get_json(silent=True)
        if not isinstance(told, dict) or "text" not in told:
            raise Invalid("The body must be a JSON object with “text” in it.")
        return told["text"]
    body = request.get_data()
    if "text" in request.form:
        return request.form["text"]
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise Invalid("The body must be UTF-8.") from None


def _permit(room_id: int) -> None:
    authorize_management(*find_access(db.session(), room_name(room_id), current_person().id))


def _render_webhooks(
    room_id: int,
    form: WebhookForm | None = None,
    secret: str | None = None,
    incoming_form: IncomingForm | None = None,
    address: str | None = None,
) -> str:
    place = find_access(db.session(), room_name(room_id), current_person().id)
    room = authorize_management(*place)
    return render_template(
        "webhooks/index.html",
        room=room,
        webhooks=list_webhooks(db.session(), room),
        incoming=list_incoming(db.session(), room),
        form=form or WebhookForm(formdata=None),
        incoming_form=incoming_form or IncomingForm(formdata=None),
        secret=secret,
        address=address,
    )
