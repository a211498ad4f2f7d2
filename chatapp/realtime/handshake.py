"""The handshake of a socket: authentication, and the first events after it."""

from functools import partial
from typing import TYPE_CHECKING

import structlog
from flask import Flask
from socketio.exceptions import ConnectionRefusedError as Refused

from chatapp.accounts.login import record_use
from chatapp.identity import AuthenticatedUser, find_current_person
from chatapp.operation import current_operation
from chatapp.presentation.messages import present_backlog
from chatapp.realtime.application import Realtime
from chatapp.realtime.channels import EVERYONE, login_session_channel, user_channel
from chatapp.realtime.news import update_news_channels
from chatapp.storage import DATABASE_ERRORS, current_writer, log_database_error

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

log = structlog.get_logger(__name__)


def register_handshake(app: Flask, realtime: Realtime) -> None:
    """Register the handlers of new and of closed sockets."""
    realtime.server.on("connect", partial(_connect, app, realtime))
    realtime.server.on("disconnect", partial(_disconnect, realtime))


def _connect(app: Flask, realtime: Realtime, sid: str, environ: "WSGIEnvironment", auth: object) -> None:
    """Authenticate a socket by the cookie of its handshake, or refuse it.

    A page sends the id of its user (`{user_id}`). Another user may have signed in on the same browser since, and the
    page must not act for them. Nothing is emitted here: it would be sent before the CONNECT packet.
    """
    current_operation.set("connect")
    claimed_id = auth.get("user_id") if isinstance(auth, dict) else None
    revision = realtime.fallback.revision
    user = _authenticate(app, environ)
    if claimed_id not in (None, user.id):
        raise Refused("signed_out")
    _require_open(realtime, sid)
    # Revocations that are handled from here on reach the socket.
    realtime.connections.add(sid, user)
    realtime.connections.enter(sid, user_channel(user.id))
    realtime.connections.enter(sid, login_session_channel(user.login_session_id))
    if realtime.fallback.revision != revision:
        # One that was handled before did not, and may have been committed after the user was read.
        try:
            _authenticate(app, environ)
            _require_open(realtime, sid)
        except Refused:
            realtime.connections.remove(sid)
            realtime.fallback.revoke_logins([user.login_session_id])
            raise
    realtime.engine.connection_guard.authenticate(sid, user.id)


def _authenticate(app: Flask, environ: "WSGIEnvironment") -> AuthenticatedUser:
    """Return the user of a handshake's cookie."""
    # The login library reads the cookie from a request.
    with app.request_context(environ):
        try:
            user = find_current_person()
        except DATABASE_ERRORS as error:
            log_database_error(error)
            raise Refused("unavailable") from None
        if user is None:
            # The library's own exception: only that carries a reason to the client.
            raise Refused("signed_out")
        record_use()
        return user


def _require_open(realtime: Realtime, sid: str) -> None:
    """Refuse a socket that was closed while its user was read."""
    if not realtime.connections.is_open(sid):
        raise Refused("closed")


def send_initial_events(app: Flask, realtime: Realtime, sid: str) -> None:
    """Add a new socket to its channels and send it the presence and the backlog, after its CONNECT packet."""
    user = realtime.connections.find_user(sid)
    if user is None:
        return
    try:
        with app.app_context():
            realtime.connections.enter(sid, EVERYONE)
            try:
                update_news_channels(realtime, user.id, [sid])
            except DATABASE_ERRORS as error:
                log_database_error(error)
                realtime.connections.sids_without_news.add(sid)
            realtime.presence.add(sid, user.id)
            backlog = current_writer().backlog
            if backlog.since is not None:
                realtime.server.emit("backlog", present_backlog(backlog), to=sid)
    except Exception:
        # Without its news channels the page would show wrong counts. It reconnects after the disconnect.
        log.exception("initial events of a new socket failed", user=user.id)
        realtime.server.disconnect(sid)


def _disconnect(realtime: Realtime, sid: str, _reason: str) -> None:
    realtime.connections.remove(sid)
    realtime.presence.remove(sid)
