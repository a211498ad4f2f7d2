"""The page of a room's webhooks."""

from flask import Blueprint, flash, redirect, render_template, url_for
from werkzeug.wrappers import Response

from chatapp.conversations.names import ConversationName
from chatapp.conversations.policy import permit_managing
from chatapp.conversations.queries import find_place
from chatapp.errors import Conflict, Invalid
from chatapp.extensions import db
from chatapp.identity import current_person, login_required
from chatapp.models.base import LAST_ID
from chatapp.webhooks import service
from chatapp.webhooks.forms import WebhookForm
from chatapp.webhooks.queries import list_webhooks

blueprint = Blueprint("webhooks", __name__)

ID = f"int(max={LAST_ID})"
PATH = f"/rooms/<{ID}:room_id>/webhooks"

Answer = str | Response | tuple[str, int]


@blueprint.get(PATH)
@login_required
def index(room_id: int) -> Answer:
    """Show a room's webhooks to its managers."""
    return _page(room_id)


@blueprint.post(PATH)
@login_required
def add(room_id: int) -> Answer:
    """Make a webhook; its secret is shown this once."""
    form = WebhookForm()
    _permit(room_id)
    if not form.validate():
        return _page(room_id, form)
    try:
        secret = service.add_webhook(current_person().actor, room_id, form.text(form.name), form.text(form.url))
    except (Invalid, Conflict) as error:
        form.refuse(error.message)
        return _page(room_id, form)
    return _page(room_id, secret=secret)


@blueprint.post(f"{PATH}/<{ID}:webhook_id>/remove")
@login_required
def remove(room_id: int, webhook_id: int) -> Response:
    """Remove a webhook."""
    service.remove_webhook(current_person().actor, room_id, webhook_id)
    flash("The webhook is removed.")
    return redirect(url_for("webhooks.index", room_id=room_id))


def _permit(room_id: int) -> None:
    permit_managing(*find_place(db.session(), ConversationName("room", room_id), current_person().id))


def _page(room_id: int, form: WebhookForm | None = None, secret: str | None = None) -> Answer:
    place = find_place(db.session(), ConversationName("room", room_id), current_person().id)
    room = permit_managing(*place)
    page = render_template(
        "webhooks/index.html",
        room=room,
        webhooks=list_webhooks(db.session(), room),
        form=form or WebhookForm(formdata=None),
        secret=secret,
    )
    return (page, 422) if form else page
