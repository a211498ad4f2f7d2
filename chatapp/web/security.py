"""Cookies, CSRF protection, rate limits, JSON bodies, security headers and trusted proxies."""

import json
import sys
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from flask import Flask, request
from flask.json.provider import DefaultJSONProvider
from flask_login import current_user
from werkzeug.middleware.proxy_fix import ProxyFix

from chatapp.config import Settings
from chatapp.errors import Invalid
from chatapp.extensions import csrf, get_client_network
from chatapp.limits.json_depth import check_json_depth
from chatapp.limits.rates import FORM_POSTS, count_use
from chatapp.presentation.problems import expects_problem
from chatapp.web.csrf import get_csrf_token
from chatapp.web.sessions import VerifiedSessions

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# No inline scripts or styles, and no other origins. 'self' includes sockets to our own origin (CSP level 3).
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self'; "
    "font-src 'self'; connect-src 'self'; manifest-src 'self'; object-src 'none'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
SESSION_COOKIE = "chatapp_session"

HOST_PREFIX = "__Host-"
"""Browsers accept a cookie with this prefix only over HTTPS and only from the host itself, not from a subdomain."""

MAX_REQUEST_BYTES = 1_000_000
"""Maximum size of a request's body."""


FILE_FORM_ENDPOINTS = frozenset(
    {
        "admin.change_assistant_picture",
        "avatars.change",
        "messages.create",
        "rooms.change_picture",
        "scheduled.change",
        "webhooks.post",
    }
)
"""The endpoints of forms with files: for messages of programs and of browsers without JavaScript, and for pictures."""

MAX_FILE_FORM_BYTES = 10_000_000
"""Maximum size of these forms: they are kept in memory."""

STREAMED_ENDPOINT = "uploads.add"
"""The view that reads its body in pieces. It needs neither the database nor a login session."""

LATE_BODY_ENDPOINT = "webhooks.post"
"""The view that reads its body after it has checked the token in the URL: anybody can request it with a long body."""


class BoundedJsonProvider(DefaultJSONProvider):
    """Flask's JSON provider, which refuses deeply nested JSON as malformed: a request with it gets status 400."""

    def loads(self, s: str | bytes, **options: Any) -> Any:
        """Parse JSON. Raises `ValueError` if it is malformed or nested too deeply."""
        text = s if isinstance(s, str) else s.decode(json.detect_encoding(s))
        check_json_depth(text)
        return super().loads(text, **options)


def init_security(app: Flask, settings: Settings) -> None:
    """Configure cookies, CSRF tokens and limits."""
    app.config.update(
        SECRET_KEY=settings.secret_key(),
        SESSION_COOKIE_NAME=cookie_name(SESSION_COOKIE, settings),
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.secure_cookies,
        PERMANENT_SESSION_LIFETIME=timedelta(days=settings.login_max_days),
        # A response that the page's script waits for would overwrite the message that a form left in the cookie.
        SESSION_REFRESH_EACH_REQUEST=False,
        MAX_CONTENT_LENGTH=MAX_REQUEST_BYTES,
        MAX_FORM_MEMORY_SIZE=MAX_REQUEST_BYTES,
        # A page that was open overnight can still post. The CSRF token expires with the session cookie.
        WTF_CSRF_TIME_LIMIT=None,
    )
    app.session_interface = VerifiedSessions(app)
    app.json = BoundedJsonProvider(app)
    app.before_request(_read_body)  # First: those that follow query the database.
    app.before_request(_limit_form_posts)  # Before forms are checked.
    csrf.init_app(app)
    # Instead of the library's, which it registers in both ways.
    app.jinja_env.globals["csrf_token"] = get_csrf_token
    app.context_processor(lambda: {"csrf_token": get_csrf_token})
    app.before_request(_reject_nul)


def cookie_name(name: str, settings: Settings) -> str:
    """Return the name of a cookie, with the prefix that protects it where cookies are secure."""
    return HOST_PREFIX + name if settings.secure_cookies else name


def trust_proxies(app: Flask, settings: Settings) -> None:
    """Take the client's address and protocol from the headers of trusted proxies.

    To be called last, so that it covers the socket server too, which wraps the application.
    """
    if hops := settings.trusted_proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]


def _read_body() -> None:
    """Wait for the body, of at most `MAX_REQUEST_BYTES`, and keep it for all that parse it; unless the view reads it.

    Otherwise a slow client would occupy a database connection meanwhile, and its login could be revoked after it was
    checked. Raises `RequestEntityTooLarge`, and `ClientDisconnected` if the body does not arrive in time.
    """
    if request.endpoint in FILE_FORM_ENDPOINTS:
        request.max_content_length = MAX_FILE_FORM_BYTES
    if request.endpoint == STREAMED_ENDPOINT:
        request.max_content_length = sys.maxsize  # None stands for the setting of the application.
    elif request.endpoint != LATE_BODY_ENDPOINT:
        request.get_data()


def _reject_nul() -> None:
    """Reject a query string with NUL: PostgreSQL accepts it in no query. Paths and bodies have stricter checks."""
    if any("\0" in value for _, value in request.args.items(multi=True)):
        raise Invalid("The query string must not contain NUL.")


def _limit_form_posts() -> None:
    """Count forms by their person, or by the network of a visitor. Requests of programs have limits of their own."""
    if request.method == "POST" and not expects_problem():
        is_signed_in = current_user.is_authenticated
        count_use(FORM_POSTS, f"person {current_user.id}" if is_signed_in else get_client_network())


def content_security_policy(settings: Settings) -> str:
    """Return the policy of pages, which also load pictures, audio and video from the origin of files."""
    if not settings.files_origin:
        return CONTENT_SECURITY_POLICY
    policy = CONTENT_SECURITY_POLICY
    for directive in ("img-src 'self'", "media-src 'self'"):
        policy = policy.replace(directive, f"{directive} {settings.files_origin}")
    return policy


def security_headers(settings: Settings) -> dict[str, str]:
    """Return the headers of every response that does not set them itself."""
    headers = {
        "Content-Security-Policy": content_security_policy(settings),
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        # After signing out, the back button must not show a page again, and no cache an export.
        "Cache-Control": "no-store",
    }
    if settings.secure_cookies:
        headers["Strict-Transport-Security"] = "max-age=31536000"
    return headers


class SecurityHeaders:
    """WSGI middleware that adds the security headers, also to responses of Socket.IO and of other middleware."""

    def __init__(self, inner: "WSGIApplication", settings: Settings) -> None:
        self._inner = inner
        self._headers = security_headers(settings)

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Pass a request on, and add the headers that its response lacks."""

        def start(status: str, headers: list[tuple[str, str]], *arguments: Any) -> Callable[[bytes], object]:
            present = {name.lower() for name, _ in headers}
            missing = [(name, value) for name, value in self._headers.items() if name.lower() not in present]
            return start_response(status, [*headers, *missing], *arguments)

        return self._inner(environ, start)


def init_security_headers(app: Flask, settings: Settings) -> None:
    """Add the security headers to all responses of an application. To be called after all other middleware."""
    app.wsgi_app = SecurityHeaders(app.wsgi_app, settings)  # type: ignore[method-assign]
