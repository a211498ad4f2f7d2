"""Channel membership and broadcasts: a broadcast encodes its packet and its frame once.

The library looks for the channels of a socket in all channels, of which each socket has one of its own. Here each
socket's channels are known, and a packet for one socket needs no channel.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from socketio import Manager

from chatapp.socket_engine import codec
from chatapp.socket_engine.frames import FramedPacket

if TYPE_CHECKING:
    from chatapp.socket_engine.server import FastServer


class BroadcastManager(Manager):  # type: ignore[misc]  # the library is not typed
    """The library's manager of channels, with a faster broadcast."""

    def __init__(self) -> None:
        super().__init__()
        self._channels: dict[str, set[str | None]] = {}
        """The channels of each socket; None is that of all sockets."""

    def emit(
        self,
        event: str,
        data: Any,
        namespace: str,
        room: Any = None,
        skip_sid: Any = None,
        callback: Any = None,
        to: Any = None,
        **options: Any,
    ) -> None:
        """Emit an event to all sockets in a channel."""
        channel = to or room
        if (
            callback is not None
            or namespace != "/"
            or isinstance(data, tuple)
            or not (channel is None or isinstance(channel, str))
        ):
            super().emit(event, data, namespace, channel, skip_sid, callback, **options)
            return
        channels = self.rooms.get(namespace, {})
        listeners = channels.get(channel) or _find_socket(channels, channel)
        if not listeners:
            return
        arguments = [event] if data is None else [event, data]
        skipped = skip_sid if isinstance(skip_sid, list) else [skip_sid] if skip_sid else []
        self._engine.broadcast(listeners, FramedPacket(b"2" + codec.encode(arguments)), skipped)

    def basic_enter_room(self, sid: str, namespace: str, room: str | None, eio_sid: str | None = None) -> None:
        """Add a socket to a channel. It does not receive what was emitted there before."""
        if room == sid:
            return
        self._engine.flush_broadcast()
        if room is None:
            super().basic_enter_room(sid, namespace, room, eio_sid=eio_sid)
        else:
            # A dictionary instead of the library's `bidict`, all of whose operations are written in Python.
            channels = self.rooms[namespace]
            channels.setdefault(room, {})[sid] = channels[None][sid]
        self._channels.setdefault(sid, set()).add(room)

    def basic_leave_room(self, sid: str, namespace: str, room: str | None) -> None:
        """Remove a socket from a channel. It still receives what was emitted there before."""
        self._engine.flush_broadcast()
        super().basic_leave_room(sid, namespace, room)
        self._channels.get(sid, set()).discard(room)

    def get_participants(self, namespace: str, room: str | None) -> Iterable[tuple[str, str]]:
        """Return the Socket.IO and Engine.IO ids of the sockets in a channel."""
        return list(self.rooms.get(namespace, {}).get(room, {}).items())

    def get_rooms(self, sid: str, namespace: str) -> list[str]:  # noqa: ARG002 - there is one namespace
        """Return the channels that a socket is in."""
        return [channel for channel in self._channels.get(sid, ()) if channel is not None]

    def basic_disconnect(self, sid: str, namespace: str, **_options: Any) -> None:
        """Remove a socket from all channels."""
        for channel in self._channels.pop(sid, set()):
            self.basic_leave_room(sid, namespace, channel)
        for pending in (self.pending_connect, self.pending_disconnect):
            if sid in pending.get(namespace, ()):
                pending[namespace].remove(sid)
                if not pending[namespace]:
                    del pending[namespace]

    @property
    def _engine(self) -> "FastServer":
        engine: FastServer = self.server.eio
        return engine


def _find_socket(channels: Mapping[str | None, Mapping[str, str]], sid: str | None) -> Mapping[str, str]:
    """Return the socket with this id as the only listener of a channel; nothing if there is none."""
    eio_sid = None if sid is None else channels.get(None, {}).get(sid)
    return {} if sid is None or eio_sid is None else {sid: eio_sid}
