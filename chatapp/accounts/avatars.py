"""The pictures of people, and the page on which people change theirs."""

from flask import Blueprint, Response, flash, redirect, url_for
from werkzeug.wrappers import Response as BaseResponse

from chatapp.conversations.avatars import change_own_avatar, get_person_avatar
from chatapp.extensions import db
from chatapp.identity import current_person, login_required
from chatapp.presentation.avatars import AVATAR_ERRORS, AvatarForm
from chatapp.presentation.forms import ViewResponse
from chatapp.web.downloads import send_file

blueprint = Blueprint("avatars", __name__)


@blueprint.get("/avatars/<digest>")
@login_required
def show(digest: str) -> Response:
    """Send the picture of a person."""
    return send_file(get_person_avatar(db.session(), digest))


@blueprint.route("/settings/picture", methods=["GET", "POST"])
@login_required
def change() -> ViewResponse:
    """Show the user's picture, and change it."""
    person, form = current_person(), AvatarForm()
    with form.show_errors(*AVATAR_ERRORS):
        if form.validate_on_submit():
            change_own_avatar(person.actor, form.store(person.id))
            flash("Your picture was changed.")
            return redirect(url_for("accounts.settings"))
    return form.page("accounts/picture.html")


@blueprint.post("/settings/picture/remove")
@login_required
def remove() -> BaseResponse:
    """Remove the user's picture."""
    change_own_avatar(current_person().actor, None)
    flash("Your picture was removed.")
    return redirect(url_for("accounts.settings"))
