"""Telling many: a broadcast makes its packet and its frame once."""

from typing import TYPE_CHECKING, Any

from engineio.packet import MESSAGE
from socketio import Manager
from socketio.packet import EVENT

from chatapp.socket_engine.connection import FramedPacket

if TYPE_CHECKING:
    from chatapp.socket_engine.connection import FastServer


class FanOut(Manager):  # type: ignore[misc]  # the library is not typed
    """The library's manager of who hears what, with a broadcast of our own."""

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
        """Tell an event to everybody in a channel, as the library does."""
        channel = to or room
        if callback is not None or isinstance(data, tuple) or not isinstance(channel, str | None):
            super().emit(event, data, namespace, channel, skip_sid, callback, **options)
            return
        listeners = self.rooms.get(namespace, {}).get(channel)
        if not listeners:
            return
        told = [event] if data is None else [event, data]
        packet = FramedPacket(MESSAGE, self.server.packet_class(EVENT, told, namespace).encode())
        skipped = skip_sid if isinstance(skip_sid, list) else [skip_sid] if skip_sid else []
        self._engine.broadcast(listeners, packet, skipped)

    def basic_enter_room(self, sid: str, namespace: str, room: str | None, eio_sid: str | None = None) -> None:
        """Let a socket hear a channel from now on."""
        self._engine.flush_broadcast()
        super().basic_enter_room(sid, namespace, room, eio_sid=eio_sid)

    def basic_leave_room(self, sid: str, namespace: str, room: str | None) -> None:
        """Let a socket hear a channel up to now."""
        self._engine.flush_broadcast()
        super().basic_leave_room(sid, namespace, room)

    @property
    def _engine(self) -> "FastServer":
        engine: FastServer = self.server.eio
        return engine
