"""What every answer tells browsers to refuse, and what cookies are worth."""

from datetime import timedelta

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.wrappers import Response

from chatapp.config import Settings
from chatapp.extensions import csrf, limiter

# No inline script or style, nothing from elsewhere. Sockets to our own origin are 'self' (CSP level 3).
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
SESSION_COOKIE = "chatapp_session"

REQUEST_BYTES = 1_000_000
"""What a request's body may hold."""


def init_security(app: Flask, settings: Settings) -> None:
    """Set cookies, limits, CSRF tokens and headers."""
    app.config.update(
        SECRET_KEY=settings.secret_key(),
        SESSION_COOKIE_NAME=SESSION_COOKIE,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.secure_cookies,
        PERMANENT_SESSION_LIFETIME=timedelta(days=90),
        MAX_CONTENT_LENGTH=REQUEST_BYTES,
        MAX_FORM_MEMORY_SIZE=REQUEST_BYTES,
        # A page that lay open over a night still posts; the token ends with the session.
        WTF_CSRF_TIME_LIMIT=None,
        RATELIMIT_STORAGE_URI="memory://",
        RATELIMIT_HEADERS_ENABLED=True,
        # `Retry-After` is said where something is refused, and means that; the library would add its own everywhere.
        RATELIMIT_HEADER_RETRY_AFTER="X-RateLimit-Retry-After",
    )
    csrf.init_app(app)
    limiter.init_app(app)
    app.after_request(_harden)
    if settings.secure_cookies:
        app.after_request(_insist_on_https)


def trust_proxies(app: Flask, settings: Settings) -> None:
    """Believe the proxies in front who asks: for pages and sockets, so it comes after everything that wraps the app."""
    if hops := settings.trusted_proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]


def _harden(response: Response) -> Response:
    headers = response.headers
    headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("X-Frame-Options", "DENY")
    headers.setdefault("Referrer-Policy", "same-origin")
    headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    if response.mimetype == "text/html":
        # What stood on a page is not shown again by the back button after signing out.
        headers.setdefault("Cache-Control", "no-store")
    return response


def _insist_on_https(response: Response) -> Response:
    response.headers.setdefault("Strict-Transport-Security", "max-age=31536000")
    return response
