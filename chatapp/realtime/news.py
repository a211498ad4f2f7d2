"""News: notifications of new messages in the user's conversations that the socket has not joined.

Each conversation has a channel for its news. A socket is in that channel or has joined the conversation, not both: a
page needs no news of a message that it shows.
"""

from collections.abc import Iterable

from socketio import Server

from chatapp.conversations.queries import list_conversation_names
from chatapp.extensions import db
from chatapp.realtime.channels import NEWS_PREFIX, news_channel


def follow_news(server: Server, user_id: int, sids: Iterable[str]) -> None:
    """Add a user's sockets to the news channels of the user's conversations, and remove them from all others."""
    names = list_conversation_names(db.session(), user_id)
    for sid in sids:
        current = set(server.manager.get_rooms(sid, "/") or ())
        wanted = {news_channel(name) for name in names if name not in current}
        for channel in wanted - current:
            server.enter_room(sid, channel)
        for channel in current - wanted:
            if channel.startswith(NEWS_PREFIX):
                server.leave_room(sid, channel)
