"""News: sockets hear of new messages in their person's conversations that they have not joined, to count them.

Each conversation has a channel of its own for it. A socket is in that channel or has joined the conversation, never
both: what a page shows need not be told twice.
"""

from collections.abc import Iterable

from chatapp.conversations.queries import list_conversation_names
from chatapp.extensions import db, socketio

PREFIX = "news:"


def news_channel(conversation: str) -> str:
    """Name the channel of those who hear of a conversation's new messages without having joined it."""
    return PREFIX + conversation


def follow_news(user_id: int, sids: Iterable[str]) -> None:
    """Let a person's sockets hear of what is new in the conversations that the person is in, and of no other."""
    names = list_conversation_names(db.session(), user_id)
    server = socketio.server
    for sid in sids:
        joined = set(server.manager.get_rooms(sid, "/") or ())
        wanted = {news_channel(name) for name in names if name not in joined}
        for channel in wanted - joined:
            server.enter_room(sid, channel)
        for channel in joined - wanted:
            if channel.startswith(PREFIX):
                server.leave_room(sid, channel)
