"""The handshake of a socket: authentication, and the first events after it.

After a restart all clients connect at the same time. What their handshakes read from the database is read for many of
them by one query.
"""

import time
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

import structlog
from flask import Flask
from socketio.exceptions import ConnectionRefusedError as Refused

from chatapp.accounts.login import authenticate_token, is_use_due
from chatapp.accounts.login_sessions import record_login_use
from chatapp.accounts.queries import Login, find_logins
from chatapp.concurrency.batches import Batcher
from chatapp.conversations.queries import list_wire_names_of
from chatapp.extensions import db
from chatapp.identity import AuthenticatedUser
from chatapp.link_previews.own_hosts import get_own_hosts
from chatapp.operation import current_operation, current_request_id
from chatapp.presentation.messages import present_backlog
from chatapp.realtime.application import Realtime
from chatapp.realtime.channels import EVERYONE, login_session_channel, user_channel
from chatapp.realtime.news import update_news_channels
from chatapp.storage import DATABASE_ERRORS, Writer, log_database_error
from chatapp.storage import EXTENSION as WRITER
from chatapp.web.request_ids import REQUEST_ID
from chatapp.web.sessions import find_login_token

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

log = structlog.get_logger(__name__)

MAX_PAGE_AGE_MS = 86_400_000
"""Pages that are older count as this old."""

MAX_BATCH = 100
"""Maximum number of sockets for which one query reads: it takes about a millisecond."""


class Handshake:
    """Opens and closes the sockets of one application."""

    def __init__(self, app: Flask, realtime: Realtime) -> None:
        self._app = app
        self._realtime = realtime
        self._connections = realtime.connections
        self._fallback = realtime.fallback
        self._writer: Writer = app.extensions[WRITER]
        self._logins: Batcher[str, Login] = Batcher(self._find_logins, max_keys=MAX_BATCH)
        self._wire_names: Batcher[int, Collection[str]] = Batcher(self._list_wire_names, max_keys=MAX_BATCH)
        self._requested_at: dict[str, float] = {}
        """When the pages of new sockets were requested, by the monotonic clock."""

    def connect(self, sid: str, environ: "WSGIEnvironment", auth: object) -> None:
        """Authenticate a socket by the cookie of its handshake, or refuse it.

        A page sends the id of its user and, at its first connection, the milliseconds since it was requested
        (`{user_id, page_age_ms}`). Another user may have signed in on the same browser since, and the page must not act
        for them. Nothing is emitted here: it would be sent before the CONNECT packet.
        """
        current_operation.set("connect")
        now = time.monotonic()
        request_id: str = environ.get(REQUEST_ID, "")
        current_request_id.set(request_id)
        sent = auth if isinstance(auth, dict) else {}
        claimed_id, page_age_ms = sent.get("user_id"), sent.get("page_age_ms")
        revision = self._fallback.revision
        user = self._authenticate(environ)
        if claimed_id not in (None, user.id):
            raise Refused("signed_out")
        self._require_open(sid)
        # Revocations that are handled from here on reach the socket.
        self._connections.add(sid, user, request_id)
        self._connections.enter(sid, user_channel(user.id))
        self._connections.enter(sid, login_session_channel(user.login_session_id))
        if self._fallback.revision != revision:
            # One that was handled before did not, and may have been committed after the user was read.
            try:
                self._authenticate(environ)
                self._require_open(sid)
            except Refused:
                self._connections.remove(sid)
                self._fallback.revoke_logins([user.login_session_id])
                raise
        if isinstance(page_age_ms, int | float) and page_age_ms >= 0:
            self._requested_at[sid] = now - min(page_age_ms, MAX_PAGE_AGE_MS) / 1_000
        self._realtime.engine.connection_guard.authenticate(sid, user.id)

    def send_initial_events(self, sid: str) -> None:
        """Add a new socket to its channels and send it the presence and the backlog, after its CONNECT packet.

        Its page fetches its list of conversations again if that has changed since it was rendered.
        """
        requested_at = self._requested_at.pop(sid, None)
        user = self._connections.find_user(sid)
        if user is None:
            return
        try:
            self._connections.enter(sid, EVERYONE)
            try:
                update_news_channels(self._realtime, user.id, [sid], self._read_wire_names)
            except DATABASE_ERRORS as error:
                self._log_error(error)
                self._connections.sids_without_news.add(sid)
            if requested_at is not None and self._realtime.recent_changes.has_changed(
                self._connections.list_channels(sid), requested_at
            ):
                self._realtime.server.emit("sidebar_changed", {}, to=sid)
            self._realtime.presence.add(sid, user.id)
            backlog = self._writer.backlog
            if backlog.since is not None:
                self._realtime.server.emit("backlog", present_backlog(backlog), to=sid)
        except Exception:
            # Without its news channels the page would show wrong counts. It reconnects after the disconnect.
            log.exception("initial events of a new socket failed", user=user.id)
            self._realtime.server.disconnect(sid)

    def disconnect(self, sid: str, _reason: str) -> None:
        """Forget a closed socket."""
        self._requested_at.pop(sid, None)
        self._connections.remove(sid)
        self._realtime.presence.remove(sid)

    def _authenticate(self, environ: "WSGIEnvironment") -> AuthenticatedUser:
        """Return the user of a handshake's cookie."""
        token = find_login_token(self._app, environ)
        try:
            user = None if token is None else authenticate_token(token, self._fallback, environ, self._logins.get)
        except DATABASE_ERRORS as error:
            self._log_error(error)
            raise Refused("unavailable") from None
        if user is None:
            # The library's own exception: only that carries a reason to the client.
            raise Refused("signed_out")
        get_own_hosts(self._app).add(environ.get("HTTP_HOST", ""))
        return user

    def _require_open(self, sid: str) -> None:
        """Refuse a socket that was closed while its user was read."""
        if not self._connections.is_open(sid):
            raise Refused("closed")

    def _find_logins(self, token_hashes: Collection[str]) -> Mapping[str, Login]:
        with self._app.app_context():
            logins = find_logins(db.session(), token_hashes)
            if used_ids := [login.id for login in logins.values() if is_use_due(login)]:
                record_login_use(used_ids)
            return logins

    def _read_wire_names(self, user_id: int) -> Collection[str]:
        return self._wire_names.get(user_id) or ()

    def _list_wire_names(self, user_ids: Collection[int]) -> Mapping[int, Collection[str]]:
        with self._app.app_context():
            return list_wire_names_of(db.session(), user_ids)

    def _log_error(self, error: Exception) -> None:
        with self._app.app_context():
            log_database_error(error)
