"""Telling many: a broadcast makes its packet and its frame once."""

from typing import TYPE_CHECKING, Any

from engineio.packet import MESSAGE
from socketio import Manager
from socketio.packet import EVENT

from chatapp.realtime.engine.connection import FramedPacket

if TYPE_CHECKING:
    from chatapp.realtime.engine.connection import FastServer


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
        skipped = set(skip_sid if isinstance(skip_sid, list) else [skip_sid])
        told = [event] if data is None else [event, data]
        packet = FramedPacket(MESSAGE, self.server.packet_class(EVENT, told, namespace).encode())
        engine: FastServer = self.server.eio
        for sid, eio_sid in listeners.items():
            connection = engine.sockets.get(eio_sid)
            if sid not in skipped and connection is not None and not connection.closed:
                connection.send(packet)
