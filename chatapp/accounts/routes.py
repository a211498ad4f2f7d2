"""Pages for setup, invitations, signing in and out, settings and people."""

from http import HTTPStatus

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_login import logout_user
from werkzeug.wrappers import Response

from chatapp.accounts import invitations as invitation_service
from chatapp.accounts import login_sessions, service
from chatapp.accounts.devices import find_known_device, remember_device
from chatapp.accounts.forms import (
    BanForm,
    InvitationForm,
    NameForm,
    PasswordForm,
    ReadReceiptsForm,
    SignInForm,
    SignUpForm,
)
from chatapp.accounts.invitations import count_usable_invitations, list_invitations
from chatapp.accounts.login import is_local_url, log_in
from chatapp.accounts.queries import (
    MAX_PEOPLE_PAGES,
    count_credentials,
    get_owner_id,
    get_user,
    is_set_up,
    list_banned_users,
    list_login_sessions,
    list_users,
    sends_read_receipts,
)
from chatapp.accounts.setup import require_valid_setup_token
from chatapp.accounts.user_agents import describe_device
from chatapp.audit_log import AuditKind, record_failed_sign_in
from chatapp.conversations.people import Person
from chatapp.errors import Forbidden, NotFound, RateLimited
from chatapp.extensions import db, get_client_network
from chatapp.identity import current_address, current_admin, current_person, login_required
from chatapp.limits.rates import (
    INVITATION_PAGES,
    PASSWORD_CHANGES,
    SEARCHES,
    SETUPS,
    SIGN_INS,
    SIGN_INS_OF_USERNAME,
    count_use,
)
from chatapp.passwords.attempts import make_attempt_key, normalize_attempted
from chatapp.presentation.forms import ViewResponse
from chatapp.presentation.kinds import block_state
from chatapp.presentation.urls import ID
from chatapp.web.caching import clear_caches

blueprint = Blueprint("accounts", __name__)


@blueprint.get("/setup")
def explain_setup() -> tuple[str, HTTPStatus]:
    """Explain where the setup link is."""
    if is_set_up(db.session()):
        raise NotFound("chatapp is set up already. Sign in, or ask for the invitation link.")
    return render_template("accounts/setup_required.html"), HTTPStatus.FORBIDDEN


@blueprint.route("/setup/<token>", methods=["GET", "POST"])
def setup(token: str) -> ViewResponse:
    """Create the first account with the setup link."""
    count_use(SETUPS, get_client_network())
    require_valid_setup_token(db.session(), token)
    form = SignUpForm()
    with form.show_errors():
        if form.validate_on_submit():
            username, name, password = (form.text(field) for field in (form.username, form.name, form.password))
            log_in(service.create_owner(username, name, password, address=current_address()))
            return redirect(url_for("general.show"))
    return form.page("accounts/setup.html")


@blueprint.route("/invitation/<token>", methods=["GET", "POST"])
def accept_invitation(token: str) -> ViewResponse:
    """Create an account with the invitation link."""
    count_use(INVITATION_PAGES, get_client_network())
    invitation_service.require_valid_invitation(db.session(), token)
    form = SignUpForm()
    with form.show_errors():
        if form.validate_on_submit():
            username, name, password = (form.text(field) for field in (form.username, form.name, form.password))
            log_in(service.create_invited_user(token, username, name, password, address=current_address()))
            return redirect(url_for("general.show"))
    return form.page("accounts/sign_up.html")


@blueprint.route("/sign-in", methods=["GET", "POST"])
def sign_in() -> ViewResponse:
    """Sign in, and open the page that was requested before."""
    if request.method == "POST":
        network = get_client_network()
        count_use(SIGN_INS, network)
        count_use(SIGN_INS_OF_USERNAME, f"{network} {normalize_attempted(request.form.get('username', ''))}")
    form = SignInForm(next=request.args.get("next", ""))
    if form.validate_on_submit():
        username = form.text(form.username)
        key = make_attempt_key(username, find_known_device(username))
        try:
            verified = login_sessions.authenticate(username, form.text(form.password), key)
        except RateLimited:
            record_failed_sign_in(username, current_address(), AuditKind.SIGN_IN_LIMITED)
            raise
        with form.show_errors(Forbidden):
            if verified is not None:
                log_in(verified.user_id, verified=verified, key=key)
                target = form.text(form.next)
                return redirect(target if is_local_url(target) else url_for("general.show"))
            record_failed_sign_in(username, current_address())
            raise login_sessions.wrong_credentials()
    return form.page("accounts/sign_in.html")


@blueprint.post("/sign-out")
@login_required
def sign_out() -> Response:
    """Sign out in this browser."""
    login_sessions.revoke_login_session(current_person().actor)
    logout_user()
    clear_caches()
    return redirect(url_for("accounts.sign_in"))


@blueprint.get("/settings")
@login_required
def settings() -> str:
    """Show the user's settings."""
    return _render_settings()


@blueprint.post("/settings/name")
@login_required
def change_name() -> ViewResponse:
    """Change the user's display name."""
    form = NameForm()
    with form.show_errors():
        if form.validate():
            service.change_display_name(current_person().actor, form.text(form.name))
            flash("Your display name was changed.")
            return redirect(url_for("accounts.settings"))
    return _render_settings(name_form=form), form.status


@blueprint.post("/settings/receipts")
@login_required
def change_read_receipts() -> Response:
    """Set whether other users see how far the user has read."""
    service.change_read_receipts(current_person().actor, are_sent=bool(ReadReceiptsForm().are_sent.data))
    flash("Your read receipt setting was saved.")
    return redirect(url_for("accounts.settings"))


@blueprint.post("/settings/password")
@login_required
def change_password() -> ViewResponse:
    """Change the user's password."""
    count_use(PASSWORD_CHANGES, get_client_network())
    form = PasswordForm()
    with form.show_errors(Forbidden):
        if form.validate():
            user = current_person()
            service.change_password(user.actor, form.text(form.current_password), form.text(form.new_password))
            remember_device(user.id)
            flash("Your password was changed. You were signed out in other browsers, and your API tokens were revoked.")
            return redirect(url_for("accounts.settings"))
    return _render_settings(password_form=form), form.status


@blueprint.post(f"/settings/logins/<{ID}:login_session_id>/end")
@login_required
def end_login_session(login_session_id: int) -> Response:
    """Sign out in one browser."""
    login_sessions.end_login_session(current_person().actor, login_session_id)
    flash("You were signed out in that browser.")
    return redirect(url_for("accounts.settings"))


@blueprint.post("/settings/logins/end")
@login_required
def end_other_login_sessions() -> Response:
    """Sign out in all browsers but this one."""
    login_sessions.end_other_login_sessions(current_person().actor)
    flash("You were signed out in all other browsers.")
    return redirect(url_for("accounts.settings"))


@blueprint.get("/people")
@login_required
def people() -> str:
    """List the users whose names contain `q`, in pages; show admins the banned users too."""
    viewer, search = current_person(), request.args.get("q", "")
    page, banned_page = (_parse_page(name) for name in ("page", "banned_page"))
    if search:
        count_use(SEARCHES, viewer.id)
    users, has_more = list_users(db.session(), search, page=page)
    shows_banned = viewer.is_admin and page == 1
    banned, has_more_banned = list_banned_users(db.session(), search, page=banned_page) if shows_banned else ([], False)
    return render_template(
        "accounts/people.html",
        people=users,
        search=search,
        page=page,
        has_more=has_more,
        owner_id=get_owner_id(db.session()),
        banned=banned,
        banned_page=banned_page,
        has_more_banned=has_more_banned,
    )


def _parse_page(name: str) -> int:
    return min(max(request.args.get(name, 1, type=int), 1), MAX_PEOPLE_PAGES)


@blueprint.get("/people/<username>")
@login_required
def profile(username: str) -> str:
    """Show a user's profile."""
    user = get_user(db.session(), username)
    blocking = block_state(db.session(), current_person().id, [Person.of(user)])
    return render_template("accounts/profile.html", person=user, **blocking)


@blueprint.route("/people/<username>/ban", methods=["GET", "POST"])
@login_required
def ban(username: str) -> ViewResponse:
    """Ask whether to ban a user, and do it."""
    admin = current_admin()
    user = get_user(db.session(), username)
    form = BanForm()
    if form.validate_on_submit():
        service.ban(admin.actor, user.username, revokes_invitations=bool(form.revokes_invitations.data))
        flash(f"@{user.username} was banned and signed out everywhere.")
        return redirect(url_for("accounts.people"))
    return form.page(
        "accounts/ban.html",
        person=user,
        credentials=count_credentials(db.session(), user.id),
        invitation_count=count_usable_invitations(db.session()),
    )


@blueprint.post("/people/<username>/ban/remove")
@login_required
def unban(username: str) -> Response:
    """Remove the ban of a user."""
    service.unban(current_admin().actor, username)
    flash(f"@{username} can sign in again.")
    return redirect(url_for("accounts.people"))


@blueprint.get("/people/invitations")
@login_required
def invitations() -> ViewResponse:
    """List the invitations."""
    current_admin()
    return _render_invitations(InvitationForm(formdata=None))


@blueprint.post("/people/invitations")
@login_required
def create_invitation() -> ViewResponse:
    """Create an invitation."""
    admin, form = current_admin(), InvitationForm()
    with form.show_errors():
        if form.validate():
            days, max_uses = (int(form.text(field)) if field.data else None for field in (form.days, form.max_uses))
            new_id = invitation_service.create_invitation(admin.actor, days=days, max_uses=max_uses)
            return redirect(url_for("accounts.invitations", _anchor=f"invitation-{new_id}"))
    return _render_invitations(form)


@blueprint.post(f"/people/invitations/<{ID}:invitation_id>/revoke")
@login_required
def revoke_invitation(invitation_id: int) -> Response:
    """Revoke an invitation."""
    invitation_service.revoke_invitation(current_admin().actor, invitation_id)
    flash("The invitation link was revoked. It no longer works.")
    return redirect(url_for("accounts.invitations"))


@blueprint.post("/people/invitations/revoke")
@login_required
def revoke_all_invitations() -> Response:
    """Revoke all invitations."""
    invitation_service.revoke_all_invitations(current_admin().actor)
    flash("All invitation links were revoked.")
    return redirect(url_for("accounts.invitations"))


def _render_invitations(form: InvitationForm) -> ViewResponse:
    return form.page("accounts/invitations.html", invitations=list_invitations(db.session()))


def _render_settings(name_form: NameForm | None = None, password_form: PasswordForm | None = None) -> str:
    user = current_person()
    are_sent = sends_read_receipts(db.session(), user.id)
    return render_template(
        "accounts/settings.html",
        name_form=name_form or NameForm(formdata=None, name=user.name),
        password_form=password_form or PasswordForm(formdata=None),
        receipts_form=ReadReceiptsForm(formdata=None, are_sent=are_sent),
        login_sessions=list_login_sessions(db.session(), user.id),
        describe_device=describe_device,
    )
