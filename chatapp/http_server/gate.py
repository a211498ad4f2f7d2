"""WSGI middleware that refuses requests of a client that sends too many, and recognises login sessions.

A signature alone does not make a cookie that of a login session: the login may have been revoked. It counts as valid if
it was so recently. Otherwise the request counts as a visitor's until its user is loaded. Only if visitors have no
connection left, the database is asked at once.
"""

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from itsdangerous import BadData
from werkzeug.sansio.http import parse_cookie

from chatapp.accounts.queries import find_login_session
from chatapp.concurrency.cooperation import in_slices
from chatapp.config import Settings
from chatapp.extensions import db
from chatapp.fallback import EXTENSION as FALLBACK
from chatapp.fallback import Fallback
from chatapp.http_server.connections import HttpConnection, Refusal
from chatapp.http_server.rates import RequestRates
from chatapp.identity import CONFIRM_LOGIN
from chatapp.limits.networks import client_network
from chatapp.storage import DATABASE_ERRORS, log_database_error
from chatapp.tokens import hash_token

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

CONNECTION_KEY = "chatapp.http_connection"
"""Where the protocol puts the connection into the WSGI environment. Other servers have none."""


def init_gate(app: Flask, settings: Settings) -> None:
    """Put the gate in front of an application, its socket server included."""
    app.wsgi_app = ConnectionGate(app, app.wsgi_app, RequestRates(settings))  # type: ignore[method-assign]


class ConnectionGate:
    """Records the kind of each request with its connection, and delays or refuses it."""

    def __init__(self, app: Flask, inner: "WSGIApplication", rates: RequestRates) -> None:
        self._app = app
        self._fallback: Fallback = app.extensions[FALLBACK]
        self._inner = inner
        self._rates = rates

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Pass a request on, or refuse it."""
        connection: HttpConnection | None = environ.get(CONNECTION_KEY)
        path = environ.get("PATH_INFO", "")
        if connection is not None:
            refusal = self._begin_request(connection, environ)
            if refusal is not None:
                status = f"{refusal.status.value} {refusal.status.phrase}"
                headers = [("Content-Type", "text/plain; charset=utf-8"), ("Retry-After", "5"), ("Connection", "close")]
                start_response(status, headers)
                return [refusal.message.encode()]
        if path.startswith("/socket.io"):
            return self._inner(environ, start_response)
        with in_slices():
            return self._inner(environ, start_response)

    def _begin_request(self, connection: HttpConnection, environ: "WSGIEnvironment") -> Refusal | None:
        network = client_network(environ.get("REMOTE_ADDR", ""))
        token = find_login_token(self._app, environ)
        user = None if token is None else self._fallback.find_login(token)
        # Until it is admitted, its connection counts as waiting, which may be closed for another one.
        refusal = self._rates.admit(environ.get("PATH_INFO", ""), person=user and user.id, network=network)
        if refusal is not None and (user is not None or token is None or not self._is_valid(token)):
            return refusal
        if token is None or user is not None:
            return connection.begin_request(network, token)
        refusal = connection.begin_request(network, None)
        if refusal is not None and self._is_valid(token):
            return connection.begin_request(network, token)
        environ[CONFIRM_LOGIN] = partial(connection.confirm_login, connection.request_count)
        return refusal

    def _is_valid(self, token: str) -> bool:
        """Return whether a login session is valid according to the database."""
        with self._app.app_context():
            try:
                return find_login_session(db.session(), hash_token(token)) is not None
            except DATABASE_ERRORS as error:
                log_database_error(error)
                return False


def find_login_token(app: Flask, environ: "WSGIEnvironment") -> str | None:
    """Return the token of the login session in a signed cookie. It may have been revoked."""
    name = app.config["SESSION_COOKIE_NAME"]
    if name not in environ.get("HTTP_COOKIE", ""):
        return None
    interface = app.session_interface
    assert isinstance(interface, SecureCookieSessionInterface)  # noqa: S101 - Flask's own sessions are used
    serializer = interface.get_signing_serializer(app)
    value = parse_cookie(environ["HTTP_COOKIE"]).get(name)
    if serializer is None or value is None:
        return None
    try:
        session = serializer.loads(value)
    except BadData:
        return None
    token = session.get("_user_id") if isinstance(session, dict) else None
    return token if isinstance(token, str) else None
