"""Who is connected: the handshake, and the end of sessions and memberships on open sockets."""

from flask import request
from flask_login import current_user
from flask_socketio import ConnectionRefusedError as Refused
from flask_socketio import join_room

from chatapp.accounts.signals import sessions_ended
from chatapp.conversations.signals import MembershipEnded, membership_ended, sidebar_changed
from chatapp.extensions import socketio
from chatapp.identity import SignedIn, current_person
from chatapp.presentation.messages import present_backlog
from chatapp.realtime.news import follow_news, news_channel
from chatapp.realtime.presence import presence
from chatapp.timeline.writer import current_writer

_people: dict[str, SignedIn] = {}
"""Who is at the other end of each of this process' sockets."""


def init_connection() -> None:
    """Listen to sockets that come, and to what ends them."""
    socketio.on("connect")(connect)
    socketio.on("disconnect")(disconnect)
    sessions_ended.connect(end_sockets_of_sessions)
    membership_ended.connect(end_listening)
    sidebar_changed.connect(tell_sidebar_changed)


def connect(auth: object) -> None:
    """Let a signed-in person in. Their sockets are found by the person and by the sign-in.

    A page says whose it is (`{user_id}`): it must not act for somebody who has signed in on its browser since.
    """
    claimed = auth.get("user_id") if isinstance(auth, dict) else None
    if not current_user.is_authenticated or claimed not in (None, current_person().id):
        # The library's own exception: it alone carries a reason to the client.
        raise Refused("signed_out")
    person = current_person()
    _people[current_socket()] = person
    join_room(user_channel(person.id))
    join_room(session_channel(person.session_id))
    follow_news(person.id, [current_socket()])
    presence.enter(current_socket(), person.id)
    backlog = current_writer().backlog
    if backlog.since is not None:
        socketio.emit("backlog", present_backlog(backlog), to=current_socket())


def disconnect(_reason: str) -> None:
    """Forget a socket that is gone."""
    _people.pop(current_socket(), None)
    presence.leave(current_socket())


def find_person(sid: str) -> SignedIn | None:
    """Find who is at the other end of a socket; None once it is closed."""
    return _people.get(sid)


def user_channel(user_id: int) -> str:
    """Name the channel of all sockets of a person."""
    return f"user:{user_id}"


def session_channel(session_id: int) -> str:
    """Name the channel of all sockets of one sign-in."""
    return f"session:{session_id}"


def list_sockets(channel: str) -> list[str]:
    """List the ids of this process' sockets in a channel."""
    return [sid for sid, _ in socketio.server.manager.get_participants("/", channel)]


def end_sockets_of_sessions(session_ids: list[int]) -> None:
    """Close the sockets of sign-ins that have ended."""
    for session_id in session_ids:
        for sid in list_sockets(session_channel(session_id)):
            socketio.server.emit("signed_out", {}, to=sid)
            socketio.server.disconnect(sid)


def end_listening(ended: MembershipEnded) -> None:
    """Take a person's sockets out of a room that they may read no longer."""
    for sid in list_sockets(user_channel(ended.user_id)):
        socketio.server.leave_room(sid, ended.conversation)
        socketio.server.leave_room(sid, news_channel(ended.conversation))
        socketio.server.emit("removed_from_chat", {"conversation": ended.conversation}, to=sid)


def tell_sidebar_changed(user_ids: list[int]) -> None:
    """Let people's pages fetch their sidebar again."""
    for user_id in user_ids:
        socketio.emit("sidebar_changed", {}, to=user_channel(user_id))


def current_socket() -> str:
    """Give the id of the socket whose event is handled."""
    sid: str = request.sid  # type: ignore[attr-defined]  # Flask-SocketIO sets it
    return sid
