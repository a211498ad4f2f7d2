"""The pictures of people, and the page on which people change theirs."""

from flask import Blueprint, Response, flash, redirect, url_for
from sqlalchemy import select
from werkzeug.wrappers import Response as BaseResponse

from chatapp.accounts import service
from chatapp.errors import NotFound
from chatapp.extensions import db
from chatapp.files.avatars import avatar_file
from chatapp.identity import current_person, login_required
from chatapp.models import User
from chatapp.presentation.avatars import AVATAR_ERRORS, AvatarForm
from chatapp.presentation.forms import ViewResponse
from chatapp.web.downloads import send_file

blueprint = Blueprint("avatars", __name__)


@blueprint.get("/avatars/<digest>")
@login_required
def show(digest: str) -> Response:
    """Send the picture of a person. Everybody who is signed in may see all people."""
    if db.session.scalars(select(User.id).where(User.avatar_digest == digest).limit(1)).first() is None:
        raise NotFound("Nobody has this picture any more.")
    return send_file(avatar_file(digest))


@blueprint.route("/settings/picture", methods=["GET", "POST"])
@login_required
def change() -> ViewResponse:
    """Show the user's picture, and change it."""
    person, form = current_person(), AvatarForm()
    with form.show_errors(*AVATAR_ERRORS):
        if form.validate_on_submit():
            service.change_avatar(person.actor, form.store(person.id))
            flash("Your picture was changed.")
            return redirect(url_for("accounts.settings"))
    return form.page("accounts/picture.html")


@blueprint.post("/settings/picture/remove")
@login_required
def remove() -> BaseResponse:
    """Remove the user's picture."""
    service.change_avatar(current_person().actor, None)
    flash("Your picture was removed.")
    return redirect(url_for("accounts.settings"))
