"""Who is connected: the handshake, and the end of sessions and memberships on open sockets."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from flask import Flask
from flask_login import current_user
from socketio.exceptions import ConnectionRefusedError as Refused

from chatapp.accounts.signals import login_sessions_revoked
from chatapp.conversations.signals import MembershipRevoked, membership_revoked, sidebar_changed
from chatapp.extensions import socketio
from chatapp.identity import AuthenticatedUser, current_person
from chatapp.presentation.messages import present_backlog
from chatapp.realtime.news import follow_news, news_channel
from chatapp.realtime.presence import presence
from chatapp.socket_engine import current_connection_guard
from chatapp.timeline.writer import current_writer

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_people: dict[str, AuthenticatedUser] = {}
"""Who is at the other end of each of this process' sockets."""


def init_connection(app: Flask) -> None:
    """Listen to sockets that come, and to what ends them."""
    socketio.server.on("connect", partial(_connect_within, app))
    socketio.server.on("disconnect", disconnect)
    login_sessions_revoked.connect(disconnect_login_sessions)
    membership_revoked.connect(remove_from_conversation)
    sidebar_changed.connect(tell_sidebar_changed)


def _connect_within(app: Flask, sid: str, environ: "WSGIEnvironment", auth: object) -> None:
    # Whose cookie it is takes a request to know, and the page's other requests know it in the same way.
    with app.request_context(environ):
        connect(sid, auth)


def connect(sid: str, auth: object) -> None:
    """Let a signed-in person in. Their sockets are found by the person and by the sign-in.

    A page says whose it is (`{user_id}`): it must not act for somebody who has signed in on its browser since.
    """
    claimed = auth.get("user_id") if isinstance(auth, dict) else None
    if not current_user.is_authenticated or claimed not in (None, current_person().id):
        # The library's own exception: it alone carries a reason to the client.
        raise Refused("signed_out")
    person = current_person()
    _people[sid] = person
    current_connection_guard().know(sid, person.id)
    socketio.server.enter_room(sid, user_channel(person.id))
    socketio.server.enter_room(sid, session_channel(person.login_session_id))
    follow_news(person.id, [sid])
    presence.enter(sid, person.id)
    backlog = current_writer().backlog
    if backlog.since is not None:
        socketio.emit("backlog", present_backlog(backlog), to=sid)


def disconnect(sid: str, _reason: str) -> None:
    """Forget a socket that is gone."""
    _people.pop(sid, None)
    presence.leave(sid)


def find_person(sid: str) -> AuthenticatedUser | None:
    """Find who is at the other end of a socket; None once it is closed."""
    return _people.get(sid)


def list_people_here() -> list[AuthenticatedUser]:
    """List who is at the other end of this process' sockets, once for each."""
    return list(_people.values())


def user_channel(user_id: int) -> str:
    """Name the channel of all sockets of a person."""
    return f"user:{user_id}"


def session_channel(session_id: int) -> str:
    """Name the channel of all sockets of one sign-in."""
    return f"session:{session_id}"


def list_sockets(channel: str) -> list[str]:
    """List the ids of this process' sockets in a channel."""
    return [sid for sid, _ in socketio.server.manager.get_participants("/", channel)]


def disconnect_login_sessions(session_ids: list[int]) -> None:
    """Close the sockets of sign-ins that have ended."""
    for session_id in session_ids:
        for sid in list_sockets(session_channel(session_id)):
            socketio.server.emit("signed_out", {}, to=sid)
            socketio.server.disconnect(sid)


def remove_from_conversation(ended: MembershipRevoked) -> None:
    """Take a person's sockets out of a room that they may read no longer."""
    for sid in list_sockets(user_channel(ended.user_id)):
        socketio.server.leave_room(sid, ended.conversation)
        socketio.server.leave_room(sid, news_channel(ended.conversation))
        socketio.server.emit("removed_from_chat", {"conversation": ended.conversation}, to=sid)


def tell_sidebar_changed(user_ids: Sequence[int]) -> None:
    """Let people's pages fetch their sidebar again."""
    for user_id in user_ids:
        socketio.emit("sidebar_changed", {}, to=user_channel(user_id))
