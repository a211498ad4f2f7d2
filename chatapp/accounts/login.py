"""From a cookie to a person: what the login library asks of us."""

from urllib.parse import urlsplit

from flask import Flask, current_app, redirect, request, session, url_for
from flask_login import login_user
from werkzeug.wrappers import Response

from chatapp.accounts.queries import find_signed_in, is_set_up
from chatapp.accounts.service import start_login_session
from chatapp.errors import SignedOut
from chatapp.extensions import db, login_manager
from chatapp.identity import AuthenticatedUser
from chatapp.presentation.problems import is_for_program
from chatapp.tokens import hash_token

_IS_SET_UP = "chatapp.is_set_up"
_OPEN_BEFORE_SETUP = {"accounts.setup", "api_docs.document", "static", "telemetry.health", "metrics.metrics"}


def init_login(app: Flask) -> None:
    """Connect the login library: its cookie carries the token of a row in `user_sessions`."""
    login_manager.init_app(app, add_context_processor=False)
    login_manager.session_protection = None
    login_manager.user_loader(load_signed_in)
    login_manager.unauthorized_handler(ask_to_sign_in)
    app.before_request(lead_to_setup)


def load_signed_in(token: str) -> AuthenticatedUser | None:
    """Find who the token lets in; None when the session has ended or the account was switched off."""
    found = find_signed_in(db.session(), hash_token(token))
    if found is None:
        return None
    row, user = found
    return AuthenticatedUser(user.id, user.username, user.name, user.is_admin, row.id, token)


def sign_in(user_id: int) -> None:
    """Sign a person in on the browser that asks. What was in its cookie before goes."""
    session.clear()
    session.permanent = True
    signed_in = load_signed_in(start_login_session(user_id))
    login_user(signed_in)


def ask_to_sign_in() -> Response:
    """Lead a person who opens a page to the sign-in and back afterwards; tell a script that it is signed out."""
    is_for_script = request.blueprint == "messages" and request.endpoint != "messages.show"
    if request.method != "GET" or is_for_script:
        raise SignedOut("You are signed out. Sign in again; what you wrote is still in your browser.")
    return redirect(url_for("accounts.sign_in", next=request.full_path.rstrip("?")))


def lead_to_setup() -> Response | None:
    """Lead everybody to the first account's page while there is none."""
    if current_app.extensions.get(_IS_SET_UP) or request.endpoint in _OPEN_BEFORE_SETUP or is_for_program():
        return None
    if is_set_up(db.session()):
        current_app.extensions[_IS_SET_UP] = True
        return None
    return redirect(url_for("accounts.setup"))


def is_inside(target: str) -> bool:
    """Tell whether a browser that follows `target` stays in this installation.

    Browsers drop tabs and line breaks and read a backslash as a slash, so such targets are refused.
    """
    if not target.startswith("/") or target.startswith("//") or "\\" in target or not target.isprintable():
        return False
    parts = urlsplit(target)
    return not parts.scheme and not parts.netloc
