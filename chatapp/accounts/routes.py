"""The pages of accounts."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_login import logout_user
from werkzeug.wrappers import Response

from chatapp.accounts import service
from chatapp.accounts.forms import NameForm, PasswordForm, ReceiptsForm, SignInForm, SignUpForm
from chatapp.accounts.login import is_inside
from chatapp.accounts.login import sign_in as begin_session
from chatapp.accounts.queries import (
    get_invitation_token,
    get_owner_id,
    is_set_up,
    list_banned,
    list_people,
    sends_receipts,
)
from chatapp.errors import Forbidden, NotFound
from chatapp.extensions import db, limiter
from chatapp.identity import current_admin, current_person, login_required
from chatapp.presentation.forms import ViewResponse

blueprint = Blueprint("accounts", __name__)


def _attempts() -> str:
    """Count sign-ins for an address and the name that it tries."""
    return f"{request.remote_addr} {request.form.get('username', '')[:64].strip().lower()}"


@blueprint.route("/setup", methods=["GET", "POST"])
@limiter.limit("20/minute", methods=["POST"])
def setup() -> ViewResponse:
    """Make the first account."""
    if is_set_up(db.session()):
        raise NotFound("chatapp is set up already. Sign in, or ask for the invitation link.")
    form = SignUpForm()
    with form.show_errors():
        if form.validate_on_submit():
            begin_session(
                service.create_owner(form.text(form.username), form.text(form.name), form.text(form.password))
            )
            return redirect(url_for("general.show"))
    return form.page("accounts/setup.html")


@blueprint.route("/invitation/<token>", methods=["GET", "POST"])
@limiter.limit("20/minute")
def accept_invitation(token: str) -> ViewResponse:
    """Make an account with the invitation link."""
    if not service.is_invitation(token, get_invitation_token(db.session())):
        raise NotFound("This invitation link is no longer valid. Ask for the new one.")
    form = SignUpForm()
    with form.show_errors():
        if form.validate_on_submit():
            begin_session(
                service.create_invited(token, form.text(form.username), form.text(form.name), form.text(form.password))
            )
            return redirect(url_for("general.show"))
    return form.page("accounts/sign_up.html")


@blueprint.route("/sign-in", methods=["GET", "POST"])
@limiter.limit("60/minute", methods=["POST"])
@limiter.limit("10/minute", key_func=_attempts, methods=["POST"])
def sign_in() -> ViewResponse:
    """Sign in, and go where one wanted to."""
    form = SignInForm(next=request.args.get("next", ""))
    if form.validate_on_submit():
        user_id = service.authenticate(form.text(form.username), form.text(form.password))
        if user_id is not None:
            begin_session(user_id)
            target = form.text(form.next)
            return redirect(target if is_inside(target) else url_for("general.show"))
        form.refuse(Forbidden("That username and password do not fit together."))
    return form.page("accounts/sign_in.html")


@blueprint.post("/sign-out")
@login_required
def sign_out() -> Response:
    """Sign out on this browser."""
    service.end_login_session(current_person().actor)
    logout_user()
    return redirect(url_for("accounts.sign_in"))


@blueprint.get("/settings")
@login_required
def settings() -> str:
    """Show one's own settings."""
    return _render_settings()


@blueprint.post("/settings/name")
@login_required
def change_name() -> ViewResponse:
    """Set one's display name."""
    form = NameForm()
    with form.show_errors():
        if form.validate():
            service.change_name(current_person().actor, form.text(form.name))
            flash("Your display name is changed.")
            return redirect(url_for("accounts.settings"))
    return _render_settings(name_form=form), form.status


@blueprint.post("/settings/receipts")
@login_required
def change_receipts() -> Response:
    """Set whether others are told how far one has read."""
    service.change_receipts(current_person().actor, are_sent=bool(ReceiptsForm().are_sent.data))
    flash("What others see of your reading is saved.")
    return redirect(url_for("accounts.settings"))


@blueprint.post("/settings/password")
@login_required
@limiter.limit("10/minute")
def change_password() -> ViewResponse:
    """Set one's password."""
    form = PasswordForm()
    with form.show_errors(Forbidden):
        if form.validate():
            service.change_password(
                current_person().actor, form.text(form.current_password), form.text(form.new_password)
            )
            flash("Your password is changed. Other browsers are signed out.")
            return redirect(url_for("accounts.settings"))
    return _render_settings(password_form=form), form.status


@blueprint.get("/people")
@login_required
def people() -> str:
    """Show who is here, and to an admin the invitation link."""
    is_admin = current_person().is_admin
    link = None
    if is_admin:
        link = url_for("accounts.accept_invitation", token=get_invitation_token(db.session()), _external=True)
    return render_template(
        "accounts/people.html",
        people=list_people(db.session()),
        owner_id=get_owner_id(db.session()),
        banned=list_banned(db.session()) if is_admin else [],
        invitation_url=link,
    )


@blueprint.post("/people/<username>/ban")
@login_required
def ban(username: str) -> Response:
    """Let somebody in no longer."""
    current_admin()
    service.ban(username)
    flash(f"@{username} is banned: signed out everywhere, and let in no more.")
    return redirect(url_for("accounts.people"))


@blueprint.post("/people/<username>/let-back")
@login_required
def unban(username: str) -> Response:
    """Let somebody who was banned sign in again."""
    current_admin()
    service.unban(username)
    flash(f"@{username} can sign in again.")
    return redirect(url_for("accounts.people"))


@blueprint.post("/people/invitation")
@login_required
def rotate_invitation() -> Response:
    """Make a new invitation link."""
    current_admin()
    service.rotate_invitation()
    flash("There is a new invitation link. The old one no longer works.")
    return redirect(url_for("accounts.people"))


def _render_settings(name_form: NameForm | None = None, password_form: PasswordForm | None = None) -> str:
    return render_template(
        "accounts/settings.html",
        name_form=name_form or NameForm(formdata=None, name=current_person().name),
        password_form=password_form or PasswordForm(formdata=None),
        receipts_form=ReceiptsForm(formdata=None, are_sent=sends_receipts(db.session(), current_person().id)),
    )
