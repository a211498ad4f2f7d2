"""WSGI middleware that refuses requests for which too many connections are open, and recognises login sessions."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from itsdangerous import BadData
from werkzeug.sansio.http import parse_cookie

from chatapp.addresses import client_network
from chatapp.http_server.connections import HttpConnection

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

CONNECTION_KEY = "chatapp.http_connection"
"""Where the protocol puts the connection into the WSGI environment. Other servers have none."""


def init_gate(app: Flask) -> None:
    """Put the gate in front of an application, its socket server included."""
    app.wsgi_app = ConnectionGate(app, app.wsgi_app)  # type: ignore[method-assign]


class ConnectionGate:
    """Records the kind of each request with its connection, or refuses it."""

    def __init__(self, app: Flask, inner: "WSGIApplication") -> None:
        self._app = app
        self._inner = inner

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Pass a request on, or refuse it."""
        connection: HttpConnection | None = environ.get(CONNECTION_KEY)
        if connection is not None:
            network = client_network(environ.get("REMOTE_ADDR", ""))
            refusal = connection.begin_request(network, find_login_token(self._app, environ))
            if refusal is not None:
                status = f"{refusal.status.value} {refusal.status.phrase}"
                headers = [("Content-Type", "text/plain; charset=utf-8"), ("Retry-After", "5"), ("Connection", "close")]
                start_response(status, headers)
                return [refusal.message.encode()]
        return self._inner(environ, start_response)


def find_login_token(app: Flask, environ: "WSGIEnvironment") -> str | None:
    """Return the token of the login session in a signed cookie, without checking in the database that it is valid."""
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
