"""Names of channels. A conversation's own channel has its wire name: sockets that have joined it receive its events."""

from chatapp.conversations.refs import ConversationRef

NEWS_PREFIX = "news:"

EVERYONE = "everyone"
"""All sockets that have been sent their CONNECT packet."""


def news_channel(wire_name: str) -> str:
    """Return the channel of sockets that receive a conversation's news: they have not joined it."""
    return NEWS_PREFIX + wire_name


def user_channel(user_id: int) -> str:
    """Return the channel of all sockets of a user."""
    return f"user:{user_id}"


def login_session_channel(login_session_id: int) -> str:
    """Return the channel of all sockets of a login session."""
    return f"session:{login_session_id}"


def posters_channel(ref: ConversationRef) -> str:
    """Return the channel of sockets that were authorized to post when they joined. Nothing is emitted there."""
    return f"posters:{ref.wire_name}"
