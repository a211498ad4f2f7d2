"""Flask-Login: the user of a cookie, signing in, and redirects of visitors who are not signed in."""

from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flask import Flask, current_app, g, redirect, request, session, url_for
from flask_login import login_user
from werkzeug.wrappers import Response

from chatapp.accounts.devices import remember_device
from chatapp.accounts.login_sessions import LAST_SEEN_INTERVAL, VerifiedPassword, create_login_session, record_login_use
from chatapp.accounts.queries import Login, find_login, is_set_up
from chatapp.errors import SignedOut
from chatapp.extensions import db, login_manager
from chatapp.fallback import Fallback, current_fallback
from chatapp.identity import CONFIRM_LOGIN, AuthenticatedUser, current_address, find_current_person
from chatapp.link_previews.own_hosts import get_own_hosts
from chatapp.models import now
from chatapp.passwords.attempts import AttemptKey
from chatapp.presentation.problems import expects_problem
from chatapp.storage import DATABASE_ERRORS, is_dropped
from chatapp.tokens import hash_token
from chatapp.web.caching import clear_caches

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_MESSAGE_PAGES = frozenset(
    {"messages.show", "messages.jump_to_date", "messages.versions", "messages.pins", "messages.mentions"}
)
"""Views of a blueprint for scripts that people open."""

_IS_SET_UP = "chatapp.is_set_up"

_OPEN_BEFORE_SETUP = {
    "accounts.explain_setup",
    "accounts.setup",
    "api_docs.document",
    "static",
    "metrics.metrics",
}


def init_login(app: Flask) -> None:
    """Configure Flask-Login. Its cookie contains the token of a login session, which is a row of the database."""
    login_manager.init_app(app, add_context_processor=False)
    login_manager.session_protection = None
    login_manager.user_loader(load_user)
    login_manager.unauthorized_handler(handle_unauthorized)
    app.before_request(redirect_to_setup)
    app.after_request(_after_request)


def load_user(token: str) -> AuthenticatedUser | None:
    """Return the user of a login session, or None if it was revoked or has expired, or the account is banned.

    While the database cannot be read, a user who was connected recently is returned from memory.
    """

    def find(token_hash: str) -> Login | None:
        try:
            login = find_login(db.session(), token_hash)
        except DATABASE_ERRORS:
            db.session.rollback()
            raise
        if login is not None and is_use_due(login):
            g.used_login_session_id = login.id
        return login

    user = authenticate_token(token, current_fallback(), request.environ, find)
    if user is not None:
        get_own_hosts(current_app).add(request.host)
    return user


def authenticate_token(
    token: str, fallback: Fallback, environ: "WSGIEnvironment", find: Callable[[str], Login | None]
) -> AuthenticatedUser | None:
    """Do what `load_user` does for a request or a socket. `find` returns the login session with a token's hash."""
    revision = fallback.revision
    try:
        login = find(hash_token(token))
    except DATABASE_ERRORS as error:
        if is_dropped(error) or (remembered := fallback.find_login(token)) is None:
            raise
        return remembered
    if login is None:
        return None
    authenticated = AuthenticatedUser(
        login.user_id, login.username, login.name, login.is_admin, login.id, token, login.avatar_digest
    )
    fallback.remember_login(authenticated, revision)
    if confirm := environ.get(CONFIRM_LOGIN):
        confirm(token)
    return authenticated


def is_use_due(login: Login) -> bool:
    """Return whether it is to be recorded that a login session is in use: it was not a moment ago."""
    return now() - login.last_seen_at > LAST_SEEN_INTERVAL


def record_use() -> None:
    """Record that the login session of the current request is in use, unless that was recorded a moment ago."""
    if (login_session_id := g.pop("used_login_session_id", None)) is not None:
        record_login_use([login_session_id])


def log_in(user_id: int, *, verified: VerifiedPassword | None = None, key: AttemptKey | None = None) -> None:
    """Start a login session in this browser, which ends the one before, and clear what its cookie contained.

    `key` is that of the attempts to sign in, which are forgotten. Raises `Forbidden`: see `create_login_session`.
    """
    device = request.user_agent.string
    former = find_current_person()
    token = create_login_session(
        user_id,
        verified=verified,
        address=current_address(),
        device=device,
        key=key,
        replaces=former.actor if former else None,
    )
    _clear_caches_of_former_login()
    session.clear()
    session.permanent = True
    user = load_user(token)
    login_user(user)
    if user is not None:
        remember_device(user.id)


def handle_unauthorized() -> Response:
    """Redirect a visitor of a page to the sign-in page and back afterwards. Raises `SignedOut` for scripts."""
    _clear_caches_of_former_login()
    is_script = request.blueprint in {"messages", "destinations"} and request.endpoint not in _MESSAGE_PAGES
    if request.method != "GET" or is_script:
        raise SignedOut("You are signed out. Sign in again; your message is still in your browser.")
    return redirect(url_for("accounts.sign_in", next=request.full_path.rstrip("?")))


def _clear_caches_of_former_login() -> None:
    """Let the browser forget the pages of a login session that was revoked or has expired, or of another person."""
    if "_user_id" in session:
        clear_caches()


def redirect_to_setup() -> Response | None:
    """Redirect to the page that explains the setup as long as there is no account."""
    if current_app.extensions.get(_IS_SET_UP) or request.endpoint in _OPEN_BEFORE_SETUP or expects_problem():
        return None
    if is_set_up(db.session()):
        current_app.extensions[_IS_SET_UP] = True
        return None
    return redirect(url_for("accounts.explain_setup"))


def _after_request(response: Response) -> Response:
    record_use()
    return response


def is_local_url(target: str) -> bool:
    """Return whether a browser that follows `target` stays in this installation.

    Browsers remove tabs and line breaks and treat a backslash as a slash, so such targets are refused.
    """
    if not target.startswith("/") or target.startswith("//") or "\\" in target or not target.isprintable():
        return False
    parts = urlsplit(target)
    return not parts.scheme and not parts.netloc
