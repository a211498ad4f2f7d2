"""Channel membership and broadcasts: a broadcast encodes its packet and its frame once."""

from typing import TYPE_CHECKING, Any

from socketio import Manager

from chatapp.socket_engine import codec
from chatapp.socket_engine.frames import FramedPacket

if TYPE_CHECKING:
    from chatapp.socket_engine.server import FastServer


class BroadcastManager(Manager):  # type: ignore[misc]  # the library is not typed
    """The library's manager of channels, with a faster broadcast."""

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
        listeners = self.rooms.get(namespace, {}).get(channel)
        if not listeners:
            return
        arguments = [event] if data is None else [event, data]
        skipped = skip_sid if isinstance(skip_sid, list) else [skip_sid] if skip_sid else []
        self._engine.broadcast(listeners, FramedPacket(b"2" + codec.encode(arguments)), skipped)

    def basic_enter_room(self, sid: str, namespace: str, room: str | None, eio_sid: str | None = None) -> None:
        """Add a socket to a channel. It does not receive what was emitted there before."""
        self._engine.flush_broadcast()
        super().basic_enter_room(sid, namespace, room, eio_sid=eio_sid)

    def basic_leave_room(self, sid: str, namespace: str, room: str | None) -> None:
        """Remove a socket from a channel. It still receives what was emitted there before."""
        self._engine.flush_broadcast()
        super().basic_leave_room(sid, namespace, room)

    @property
    def _engine(self) -> "FastServer":
        engine: FastServer = self.server.eio
        return engine
