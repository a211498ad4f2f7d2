"""Channel membership and broadcasts: a broadcast encodes its packet and its frame once."""

from typing import TYPE_CHECKING, Any

from engineio.packet import MESSAGE
from socketio import Manager
from socketio.packet import EVENT

from chatapp.socket_engine.server import FramedPacket

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
        if callback is not None or isinstance(data, tuple) or not isinstance(channel, str | None):
            super().emit(event, data, namespace, channel, skip_sid, callback, **options)
            return
        listeners = self.rooms.get(namespace, {}).get(channel)
        if not listeners:
            return
        arguments = [event] if data is None else [event, data]
        packet = FramedPacket(MESSAGE, self.server.packet_class(EVENT, arguments, namespace).encode())
        skipped = skip_sid if isinstance(skip_sid, list) else [skip_sid] if skip_sid else []
        self._engine.broadcast(listeners, packet, skipped)

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
