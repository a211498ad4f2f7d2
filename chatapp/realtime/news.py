"""News: sockets count the new messages in their user's conversations that they have not joined.

Each conversation has a channel of its own for that. A socket is in that channel or has joined the conversation, never
both: a page need not be notified of a message that it shows.
"""

from collections.abc import Iterable

from socketio import Server

from chatapp.conversations.queries import list_conversation_names
from chatapp.extensions import db
from chatapp.realtime.channels import NEWS_PREFIX, news_channel


def follow_news(server: Server, user_id: int, sids: Iterable[str]) -> None:
    """Put a user's sockets into the news channels of exactly the conversations that the user is in."""
    names = list_conversation_names(db.session(), user_id)
    for sid in sids:
        current = set(server.manager.get_rooms(sid, "/") or ())
        wanted = {news_channel(name) for name in names if name not in current}
        for channel in wanted - current:
            server.enter_room(sid, channel)
        for channel in current - wanted:
            if channel.startswith(NEWS_PREFIX):
                server.leave_room(sid, channel)
