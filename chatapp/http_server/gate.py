"""WSGI middleware that refuses requests of a client that sends too many, and recognises login sessions and API tokens.

A signature alone does not make a cookie that of a login session: the login may have been revoked. It counts as valid if
it was so recently. Otherwise the request counts as a visitor's until its user is loaded. Only if visitors have no
connection left, the database is asked at once.

API tokens are not signed, so the database is never asked here. A token that was valid at its last request counts as its
user. Other tokens have a rate of their own for each network: neither visitors nor the user's other requests affect it.
"""

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

from flask import Flask

from chatapp.accounts.queries import find_login
from chatapp.concurrency.cooperation import in_slices
from chatapp.config import Settings
from chatapp.extensions import db
from chatapp.fallback import EXTENSION as FALLBACK
from chatapp.fallback import Fallback, RecentFacts
from chatapp.http_server.connections import HttpConnection, Refusal
from chatapp.http_server.rates import RequestRates
from chatapp.identity import CONFIRM_API_USER, CONFIRM_LOGIN
from chatapp.limits.networks import client_network
from chatapp.storage import DATABASE_ERRORS, log_database_error
from chatapp.telemetry.health import HEALTH_PATHS
from chatapp.telemetry.operations import EXTENSION as REQUEST_MEASURES
from chatapp.telemetry.operations import RequestMeasures
from chatapp.tokens import hash_token, parse_bearer
from chatapp.web.files_origin import FilesOrigin
from chatapp.web.sessions import find_login_token

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

CONNECTION_KEY = "chatapp.http_connection"
"""Where the protocol puts the connection into the WSGI environment. Other servers have none."""

API_PREFIX = "/api/"
"""Beginning of the paths where API tokens are valid."""

MAX_API_TOKENS = 10_000
"""Maximum number of API tokens whose user is remembered."""


def init_gate(app: Flask, settings: Settings) -> None:
    """Put the gate in front of an application, its socket server and the origin of its files included."""
    measures: RequestMeasures = app.extensions[REQUEST_MEASURES]
    files_origin = FilesOrigin(app, app.wsgi_app, settings, measures.add) if settings.files_origin else None
    inner = files_origin or app.wsgi_app
    app.wsgi_app = ConnectionGate(app, inner, RequestRates(settings), files_origin)  # type: ignore[method-assign]


class ConnectionGate:
    """Records the kind of each request with its connection, and delays or refuses it."""

    def __init__(
        self, app: Flask, inner: "WSGIApplication", rates: RequestRates, files_origin: FilesOrigin | None = None
    ) -> None:
        self._app = app
        self._fallback: Fallback = app.extensions[FALLBACK]
        self._inner = inner
        self._rates = rates
        self._files_origin = files_origin
        self._token_users: RecentFacts[str, int] = RecentFacts(MAX_API_TOKENS, float("inf"))
        """The users of API tokens, by hash. They decide who a request is counted for, not what it may do."""

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
        if path.startswith("/socket.io") or path in HEALTH_PATHS:
            return self._inner(environ, start_response)
        with in_slices():
            return self._inner(environ, start_response)

    def _begin_request(self, connection: HttpConnection, environ: "WSGIEnvironment") -> Refusal | None:
        network, path = client_network(environ.get("REMOTE_ADDR", "")), environ.get("PATH_INFO", "")
        if path in HEALTH_PATHS:
            # Requests of visitors must not delay or refuse health checks: an orchestrator would end the process. These
            # end at once, so their connections count as waiting.
            return self._rates.admit(path, person=None, network=f"health checks of {network}")
        if self._files_origin is not None and self._files_origin.is_requested(environ):
            return self._begin_file_request(connection, path, network, self._files_origin.find_reader(environ))
        if (api_token := find_api_token(environ)) is not None:
            return self._begin_token_request(connection, environ, network, hash_token(api_token))
        token = find_login_token(self._app, environ)
        user_id = None if token is None else self._fallback.find_login_user_id(token)
        # Until it is admitted, its connection counts as waiting, which may be closed for another one.
        refusal = self._rates.admit(path, person=user_id, network=network)
        if refusal is not None and (user_id is not None or token is None or not self._is_valid(token)):
            return refusal
        if token is None or user_id is not None:
            return connection.begin_request(network, token)
        refusal = connection.begin_request(network, None)
        if refusal is not None and self._is_valid(token):
            return connection.begin_request(network, token)
        environ[CONFIRM_LOGIN] = partial(connection.confirm_login, connection.request_count)
        return refusal

    def _begin_file_request(
        self, connection: HttpConnection, path: str, network: str, reader_id: int | None
    ) -> Refusal | None:
        """Count a request to the origin of files, apart from the one to the application that redirected it."""
        person = None if reader_id is None else f"files of user {reader_id}"
        return self._rates.admit(path, person=person, network=network) or connection.begin_request(network, person)

    def _begin_token_request(
        self, connection: HttpConnection, environ: "WSGIEnvironment", network: str, token_hash: str
    ) -> Refusal | None:
        user_id = self._token_users.get(token_hash)
        person = f"unknown tokens of {network}" if user_id is None else user_id
        refusal = self._rates.admit(environ.get("PATH_INFO", ""), person=person, network=network)
        if refusal is None:
            refusal = connection.begin_request(network, None if user_id is None else _connections_key(user_id))
        environ[CONFIRM_API_USER] = partial(self._confirm_token, connection, connection.request_count, token_hash)
        return refusal

    def _confirm_token(
        self, connection: HttpConnection, request_number: int, token_hash: str, user_id: int | None
    ) -> None:
        """Record the user of a token, or that it is invalid."""
        if user_id is None:
            self._token_users.discard(token_hash)
        else:
            self._token_users.set(token_hash, user_id)
            connection.confirm_login(request_number, _connections_key(user_id))

    def _is_valid(self, token: str) -> bool:
        """Return whether a login session is valid according to the database."""
        with self._app.app_context():
            try:
                return find_login(db.session(), hash_token(token)) is not None
            except DATABASE_ERRORS as error:
                log_database_error(error)
                return False


def _connections_key(user_id: int) -> str:
    """Return what the connections of a user's API tokens are counted by. No login session has such a token."""
    return f"tokens of user {user_id}"


def find_api_token(environ: "WSGIEnvironment") -> str | None:
    """Return the API token of a request to the API. It may be invalid."""
    if not environ.get("PATH_INFO", "").startswith(API_PREFIX):
        return None
    return parse_bearer(environ.get("HTTP_AUTHORIZATION", ""))
