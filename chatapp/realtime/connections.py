"""The sockets of this process: their users, and the channels that they are in."""

from collections.abc import Collection, Iterable

from socketio import Server

from chatapp.conversations.refs import ConversationRef, parse_ref
from chatapp.errors import InvalidConversation
from chatapp.identity import AuthenticatedUser
from chatapp.realtime.channels import NEWS_PREFIX, news_channel


class SocketRequests:
    """The ids of the events of one socket: that of its handshake, and the number of the event."""

    __slots__ = ("_count", "_handshake_id")

    def __init__(self, handshake_id: str) -> None:
        self._handshake_id = handshake_id
        self._count = 0

    def next_id(self) -> str:
        """Return the id of the next event."""
        self._count += 1
        return f"{self._handshake_id}-{self._count}"


class Connections:
    """The authenticated sockets of one application."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._users: dict[str, AuthenticatedUser] = {}
        self._requests: dict[str, SocketRequests] = {}
        self.sids_without_news: set[str] = set()
        """Sockets that connected while the database could not be read: see `chatapp.realtime.news`."""

    def add(self, sid: str, user: AuthenticatedUser, request_id: str = "") -> None:
        """Record the user of a new socket, and the id of the request that has opened it."""
        self._users[sid] = user
        self._requests[sid] = SocketRequests(request_id)

    def remove(self, sid: str) -> None:
        """Forget a closed socket."""
        self._users.pop(sid, None)
        self._requests.pop(sid, None)
        self.sids_without_news.discard(sid)

    def find_user(self, sid: str) -> AuthenticatedUser | None:
        """Return the user of a socket; None when it is closed."""
        return self._users.get(sid)

    def next_request_id(self, sid: str) -> str:
        """Return the id of the next event of a socket, which must be open."""
        return self._requests[sid].next_id()

    def enter(self, sid: str, channel: str) -> None:
        """Add a socket to a channel. Does nothing if the socket has been closed, as it may be at any time."""
        # The library would raise `KeyError`, and keep an empty channel.
        if self.is_open(sid):
            self._server.enter_room(sid, channel)

    def is_open(self, sid: str) -> bool:
        """Return whether a socket is open, or being opened."""
        # The library's channel `None` has all sockets.
        return self.is_in(sid, None)

    def is_in(self, sid: str, channel: str | None) -> bool:
        """Return whether a socket is in a channel."""
        return sid in self._server.manager.rooms.get("/", {}).get(channel, ())

    def leave(self, sid: str, channel: str) -> None:
        """Remove a socket from a channel, if it is in it."""
        self._server.leave_room(sid, channel)

    def list_channels(self, sid: str) -> set[str]:
        """Return the channels that a socket is in; none when it is closed."""
        return set(self._server.manager.get_rooms(sid, "/") or ())

    def list_users(self) -> Collection[AuthenticatedUser]:
        """Return the users of all sockets, once for each socket."""
        return list(self._users.values())

    def items(self) -> Collection[tuple[str, AuthenticatedUser]]:
        """Return all sockets with their users."""
        return list(self._users.items())

    def list_sids(self, channel: str) -> list[str]:
        """Return the ids of the sockets in a channel."""
        return [sid for sid, _ in self._server.manager.get_participants("/", channel)]

    def has_sockets(self, channel: str) -> bool:
        """Return whether a socket is in a channel."""
        return channel in self._server.manager.rooms.get("/", {})

    def count_sockets(self, channel: str) -> int:
        """Return the number of sockets in a channel."""
        return len(self._server.manager.rooms.get("/", {}).get(channel, ()))

    def has_listeners(self, wire_name: str) -> bool:
        """Return whether a socket receives a conversation's events or its news."""
        return self.has_sockets(wire_name) or self.has_sockets(news_channel(wire_name))

    def list_listeners(self, wire_name: str) -> list[str]:
        """Return the ids of the sockets that receive a conversation's events or its news."""
        return [*self.list_sids(wire_name), *self.list_sids(news_channel(wire_name))]

    def list_listening_users(self, wire_name: str) -> list[AuthenticatedUser]:
        """Return the users of the sockets that receive a conversation's events or its news."""
        users = (self.find_user(sid) for sid in self.list_listeners(wire_name))
        return [user for user in users if user is not None]

    def list_conversations(self, *, with_news: bool = False) -> list[ConversationRef]:
        """Return the conversations that sockets have joined; `with_news` also those whose news they receive."""
        channels = [str(channel) for channel in list(self._server.manager.rooms.get("/", {}))]
        refs = parse_refs(channel.removeprefix(NEWS_PREFIX) if with_news else channel for channel in channels)
        return sorted(refs, key=lambda ref: ref.wire_name)


def parse_refs(channels: Iterable[str]) -> set[ConversationRef]:
    """Return the conversations whose own channels these are; channels of other things are left out."""
    refs = set()
    for channel in channels:
        try:
            refs.add(parse_ref(channel))
        except InvalidConversation:
            continue  # A channel of a user, a login session or a socket.
    return refs
