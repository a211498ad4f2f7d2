"""Flask's sessions in signed cookies. The signature of a cookie is verified once, not with each request."""

import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from flask import Flask
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from flask.wrappers import Request
from itsdangerous import BadData
from werkzeug.sansio.http import parse_cookie

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_FOUND_LOGIN = "chatapp.found_login"
"""Where `find_login_token` puts what it found into the WSGI environment: it is called more than once."""

MAX_COOKIES = 10_000
"""Maximum number of cookies whose content is kept."""


class VerifiedSessions(SecureCookieSessionInterface):
    """Sessions whose cookies are kept after they were verified."""

    def __init__(self, app: Flask) -> None:
        # The key does not change while the process runs.
        self._serializer: Any = super().get_signing_serializer(app)
        self._max_age_seconds = app.permanent_session_lifetime.total_seconds()
        self._verified: OrderedDict[str, tuple[dict[str, Any], float]] = OrderedDict()

    def get_signing_serializer(self, app: Flask) -> Any:  # noqa: ARG002 - Flask calls it with the application
        """Return the serializer, which Flask would create for each request."""
        return self._serializer

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession:
        """Return the session of a request; an empty one if its cookie is invalid or too old."""
        return self.session_class(self.read(request.cookies.get(self.get_cookie_name(app), "")))

    def read(self, cookie: str) -> dict[str, Any]:
        """Return a copy of the content of a cookie; nothing if there is none, or if it is invalid or too old."""
        if not cookie:
            return {}
        content, signed_at = self._verified.get(cookie) or self._verify(cookie)
        return content.copy() if time.time() - signed_at <= self._max_age_seconds else {}

    def _verify(self, cookie: str) -> tuple[dict[str, Any], float]:
        try:
            content, signed_at = self._serializer.loads(cookie, return_timestamp=True)
        except BadData:
            return {}, 0.0
        if not isinstance(content, dict):
            return {}, 0.0
        found = content, signed_at.timestamp()
        # A copy of a list would be a reference to the same one.
        if all(isinstance(value, str | bool) for value in content.values()):
            self._verified[cookie] = found
            if len(self._verified) > MAX_COOKIES:
                self._verified.popitem(last=False)
        return found


def find_login_token(app: Flask, environ: "WSGIEnvironment") -> str | None:
    """Return the token of the login session in a signed cookie. It may have been revoked."""
    if _FOUND_LOGIN not in environ:
        environ[_FOUND_LOGIN] = _read_login_token(app, environ)
    token: str | None = environ[_FOUND_LOGIN]
    return token


def _read_login_token(app: Flask, environ: "WSGIEnvironment") -> str | None:
    name = app.config["SESSION_COOKIE_NAME"]
    if name not in environ.get("HTTP_COOKIE", ""):
        return None
    sessions = app.session_interface
    assert isinstance(sessions, VerifiedSessions)  # noqa: S101 - `init_security` has set it
    token = sessions.read(parse_cookie(environ["HTTP_COOKIE"]).get(name, "")).get("_user_id")
    return token if isinstance(token, str) else None
