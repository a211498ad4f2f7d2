"""Engine.IO server of the fast engine: broadcasts, coalesced writes and pings for all connections.

All frames that are queued for a connection in one iteration of the event loop are sent in one write (write
coalescing). This module and `connection.py` depend on internals of python-engineio and eventlet: see `versions.py`.
"""

import time
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, TypeVarTuple

import engineio
import eventlet
from engineio import packet as eio_packet
from engineio.packet import Packet

from chatapp.concurrency.supervision import Supervisor
from chatapp.socket_engine.connection import Connection
from chatapp.socket_engine.connection_guard import ConnectionGuard
from chatapp.socket_engine.events import EventHandler
from chatapp.socket_engine.frames import FramedPacket

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

Ts = TypeVarTuple("Ts")

CONNECTIONS_PER_ITERATION = 256
"""Connections that are written to before other green threads run."""

PING_CHECK_SECONDS = 1.0
"""Interval at which due pings are sent."""

WORK = "socket engine"
"""Name under which the supervisor counts exceptions of green threads that it does not run itself."""


class FastServer(engineio.Server):  # type: ignore[misc]  # the library is not typed
    """Engine.IO server whose connections are `Connection` objects."""

    start_service_task: bool

    def __init__(self, supervisor: Supervisor, *, coalesces_writes: bool, **options: object) -> None:
        super().__init__(**options)
        self.connection_guard: ConnectionGuard
        """Set once the server's handlers are registered."""
        self.coalesces_writes = coalesces_writes
        self.event_handlers: Mapping[str, EventHandler] = {}
        """By the names of the events."""
        self._supervisor = supervisor
        self._pending_broadcast: tuple[Mapping[str, str], list[FramedPacket]] | None = None
        """Listeners of one channel, and packets that are sent to them before anything else."""
        self._unflushed: list[Connection] = []
        """Connections that have frames to write."""
        self._is_flush_scheduled = False

    def broadcast(self, listeners: Mapping[str, str], packet: FramedPacket, skipped: Collection[str]) -> None:
        """Send a packet to the listeners of a channel, given as Socket.IO and Engine.IO ids, but not to `skipped`."""
        if self.coalesces_writes and not skipped:
            # Consecutive packets for one channel are queued for its listeners together.
            if self._pending_broadcast is None or self._pending_broadcast[0] is not listeners:
                self.flush_broadcast()
                self._pending_broadcast = listeners, []
                self._schedule_flush()
            self._pending_broadcast[1].append(packet)
            return
        self.flush_broadcast()
        for sid, eio_sid in listeners.items():
            if sid not in skipped and (connection := self._find(eio_sid)):
                try:
                    connection.deliver([packet], packet.frame)
                except Exception as error:
                    connection.fail(error)

    def flush_broadcast(self) -> None:
        """Queue the pending broadcast for its listeners.

        This has to happen before anything else is sent, and before the channel's sockets change.
        """
        if self._pending_broadcast is None:
            return
        (listeners, packets), self._pending_broadcast = self._pending_broadcast, None
        joined_frames = b"".join(packet.frame for packet in packets)
        for eio_sid in listeners.values():
            if connection := self._find(eio_sid):
                try:
                    connection.deliver(packets, joined_frames)
                except Exception as error:
                    connection.fail(error)

    def send_packet(self, sid: str, pkt: Packet) -> None:
        """Send a packet to a connection, unless it is closed."""
        if connection := self._find(sid):
            connection.send(pkt)

    def schedule_flush(self, connection: Connection) -> None:
        """Schedule the write of a connection's frames for the end of this iteration of the event loop."""
        self._unflushed.append(connection)
        self._schedule_flush()

    def spawn(self, function: Callable[[*Ts], object], *args: *Ts) -> None:
        """Call `function` on a green thread, and record its exceptions.

        The supervisor does not start these green threads: there is one for every group of writes, so that would reduce
        throughput, and none is restarted. A failed one must leave no connection stuck: `Connection.fail` closes it.
        """
        eventlet.spawn_n(self._run_recorded, function, args)

    def record_failure(self, error: Exception) -> None:
        """Log and count an exception of a green thread."""
        self._supervisor.record_failure(WORK, error)

    def _run_recorded(self, function: Callable[..., object], args: tuple[Any, ...]) -> None:
        try:
            function(*args)
        except Exception as error:
            self.record_failure(error)

    def _find(self, eio_sid: str) -> Connection | None:
        connection: Connection | None = self.sockets.get(eio_sid)
        return None if connection is None or connection.closed else connection

    def _schedule_flush(self) -> None:
        if not self._is_flush_scheduled:
            self._is_flush_scheduled = True
            self.spawn(self._flush_all)

    def _flush_all(self) -> None:
        # Let green threads run that the last commit has woken, so that their frames are sent in the same write.
        eventlet.sleep(0)
        try:
            self.flush_broadcast()
        finally:
            # Otherwise an exception would stop all writes for ever.
            self._is_flush_scheduled = False
            unflushed, self._unflushed = self._unflushed, []
            for count, connection in enumerate(unflushed, 1):
                try:
                    connection.flush()
                except Exception as error:
                    connection.fail(error)
                if count % CONNECTIONS_PER_ITERATION == 0:
                    eventlet.sleep(0)

    def _handle_connect(
        self,
        environ: "WSGIEnvironment",
        start_response: "StartResponse",
        transport: str,
        jsonp_index: int | None = None,
    ) -> Any:
        if self.start_service_task:
            self.start_service_task = False
            self._supervisor.start("socket pings", self._ping_forever)
        sid = self.generate_id()
        self.sockets[sid] = connection = Connection(self, sid)
        opening = {
            "sid": sid,
            "upgrades": self._upgrades(sid, transport),
            "pingTimeout": int(self.ping_timeout * 1000),
            "pingInterval": int(self.ping_interval * 1000),
            "maxPayload": self.max_http_buffer_size,
        }
        connection.send(Packet(eio_packet.OPEN, opening))
        self._trigger_event("connect", sid, environ, run_async=False)
        if transport == "websocket":
            response = connection.handle_get_request(environ, start_response)
            if connection.closed:
                self.sockets.pop(sid, None)
            return response
        connection.connected = True
        return self._ok(connection.poll(), jsonp_index=jsonp_index)

    def _ping_forever(self) -> None:
        """Send due pings, and close connections that have not responded. One green thread serves all connections."""
        while True:
            eventlet.sleep(PING_CHECK_SECONDS)
            now = time.monotonic()
            for count, (sid, connection) in enumerate(list(self.sockets.items()), 1):
                if connection.closed:
                    self.sockets.pop(sid, None)
                else:
                    try:
                        connection.ping_if_due(now)
                    except Exception as error:
                        connection.fail(error)
                if count % CONNECTIONS_PER_ITERATION == 0:
                    eventlet.sleep(0)
