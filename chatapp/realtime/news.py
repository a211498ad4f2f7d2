"""News: notifications of new messages in the user's conversations that the socket has not joined.

Each conversation has a channel for its news. A socket is in that channel or has joined the conversation, not both: a
page needs no news of a message that it shows.
"""

from collections.abc import Callable, Collection, Iterable

from flask import Flask

from chatapp.conversations.queries import list_wire_names
from chatapp.extensions import db
from chatapp.realtime.application import Realtime
from chatapp.realtime.channels import NEWS_PREFIX, news_channel
from chatapp.realtime.connections import Connections


def complete_news_channels(app: Flask, realtime: Realtime) -> None:
    """Add the sockets that connected during an outage to their news channels, and let their pages load the sidebar."""
    for sid in list(realtime.connections.sids_without_news):
        user = realtime.connections.find_user(sid)
        if user is not None:
            with app.app_context():
                update_news_channels(realtime, user.id, [sid])
            realtime.server.emit("sidebar_changed", {}, to=sid)
        realtime.connections.sids_without_news.discard(sid)


def update_news_channels(
    realtime: Realtime,
    user_id: int,
    sids: Collection[str],
    read_wire_names: Callable[[int], Collection[str]] | None = None,
) -> None:
    """Add a user's sockets to the news channels of the user's conversations, and remove them from all others.

    `read_wire_names` reads the conversations, each time in a new snapshot; by default that is one query.
    Repeated if something was revoked meanwhile: the revocation may have been handled before a socket entered a channel.
    """
    revision = None
    while revision != realtime.fallback.revision:
        revision = realtime.fallback.revision
        wire_names = (read_wire_names or _read_wire_names)(user_id)
        _set_news_channels(realtime.connections, wire_names, sids)


def _read_wire_names(user_id: int) -> Collection[str]:
    wire_names = list_wire_names(db.session(), user_id)
    db.session.close()  # The next read gets a new snapshot.
    return wire_names


def _set_news_channels(connections: Connections, wire_names: Collection[str], sids: Iterable[str]) -> None:
    for sid in sids:
        current = connections.list_channels(sid)
        wanted = {news_channel(wire_name) for wire_name in wire_names if wire_name not in current}
        for channel in wanted - current:
            connections.enter(sid, channel)
        for channel in current - wanted:
            if channel.startswith(NEWS_PREFIX):
                connections.leave(sid, channel)
