"""Connections that read many frames at once and are written to without a thread of their own.

What is told to a connection in one turn of the event loop leaves as one write. Only where the client does not take it
at once a green thread of its own goes on, and then everything queues behind that: the order holds. While a connection
still polls, what it is told goes through the library's queue, and from there into its first frames.

This is the one place that knows the insides of python-engineio and of eventlet's WebSocket: see `versions.py`.
"""

import re
import time
from collections import deque
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from socket import SHUT_RDWR
from typing import TYPE_CHECKING, Any

import engineio
import eventlet
import structlog
from engineio import exceptions
from engineio import packet as eio_packet
from engineio.packet import Packet
from engineio.socket import Socket

from chatapp.socket_engine import frames, limits
from chatapp.socket_engine.connection_guard import ConnectionGuard
from chatapp.socket_engine.packets import Malformed

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

log = structlog.get_logger(__name__)

OVERLAPPING = re.compile(r'2\d*\["send_message"')
"""Events that need not wait for the answer to the one before."""

TURN = 256
"""Connections that are written to before others have their turn."""


class FramedPacket(Packet):  # type: ignore[misc]  # the library is not typed
    """A packet whose frame is made once, for however many connections."""

    _frame: bytes | None = None

    @property
    def frame(self) -> bytes:
        """The packet as a frame of WebSocket."""
        if self._frame is None:
            self._frame = frames.make_frame(self.encode())
        return self._frame


class FastServer(engineio.Server):  # type: ignore[misc]  # the library is not typed
    """Engine.IO's server, with connections of ours."""

    start_service_task: bool

    def __init__(self, *, coalesces_writes: bool, **options: object) -> None:
        super().__init__(**options)
        self.connection_guard: ConnectionGuard
        """Set once the server's handlers stand."""
        self.coalesces_writes = coalesces_writes
        self._pending_broadcast: tuple[Mapping[str, str], list[FramedPacket]] | None = None
        """A channel's listeners, and what is to be told to each of them before anything else."""
        self._waiting: list[Connection] = []
        self._is_awake = False

    def broadcast(self, listeners: Mapping[str, str], packet: FramedPacket, skipped: Collection[str]) -> None:
        """Tell a packet to everybody in a channel, given as ids of Socket.IO and of Engine.IO."""
        if self.coalesces_writes and not skipped:
            # What one commit brought to a channel is handed to its listeners at once.
            if self._pending_broadcast is None or self._pending_broadcast[0] is not listeners:
                self.flush_broadcast()
                self._pending_broadcast = listeners, []
                self._wake()
            self._pending_broadcast[1].append(packet)
            return
        self.flush_broadcast()
        for sid, eio_sid in listeners.items():
            if sid not in skipped and (connection := self._find(eio_sid)):
                connection.tell([packet], packet.frame)

    def flush_broadcast(self) -> None:
        """Hand on what was gathered for a channel: before something else is told, or somebody comes or goes."""
        if self._pending_broadcast is None:
            return
        (listeners, packets), self._pending_broadcast = self._pending_broadcast, None
        frames_of_all = b"".join(packet.frame for packet in packets)
        for eio_sid in listeners.values():
            if connection := self._find(eio_sid):
                connection.tell(packets, frames_of_all)

    def send_packet(self, sid: str, pkt: Packet) -> None:
        """Tell a connection a packet, if it is still there."""
        if connection := self._find(sid):
            connection.send(pkt)

    def _find(self, eio_sid: str) -> "Connection | None":
        connection: Connection | None = self.sockets.get(eio_sid)
        return None if connection is None or connection.closed else connection

    def write_later(self, connection: "Connection") -> None:
        """Let a connection write what it was told, once this turn of the event loop is over."""
        self._waiting.append(connection)
        self._wake()

    def _wake(self) -> None:
        if not self._is_awake:
            self._is_awake = True
            eventlet.spawn_n(self._write_all)

    def _write_all(self) -> None:
        eventlet.sleep(0)  # Whom the last commit has woken may speak first: it leaves together.
        self.flush_broadcast()
        self._is_awake = False
        waiting, self._waiting = self._waiting, []
        for count, connection in enumerate(waiting, 1):
            connection.write_waiting()
            if count % TURN == 0:
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
            eventlet.spawn_n(self._ping_forever)
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
            answer = connection.handle_get_request(environ, start_response)
            if connection.closed:
                self.sockets.pop(sid, None)
            return answer
        connection.connected = True
        return self._ok(connection.poll(), jsonp_index=jsonp_index)

    def _ping_forever(self) -> None:
        """Ping everybody in time, and close those who have not answered. One green thread does it for all."""
        while True:
            eventlet.sleep(1)
            now = time.monotonic()
            for count, (sid, connection) in enumerate(list(self.sockets.items()), 1):
                if connection.closed:
                    self.sockets.pop(sid, None)
                else:
                    connection.ping_if_due(now)
                if count % TURN == 0:
                    eventlet.sleep(0)


class Connection(Socket):  # type: ignore[misc]  # the library is not typed
    """One client, over polling or WebSocket."""

    server: FastServer
    closed: bool
    closing: bool
    upgrading: bool

    def __init__(self, server: FastServer, sid: str) -> None:
        super().__init__(server, sid)
        self._ping_at = time.monotonic() + server.ping_interval
        self._answer_by: float | None = None
        self._socket: Any = None
        """Eventlet's socket, once the connection is upgraded."""
        self._send_now: Any = None
        """The system's `send`, which waits for nothing."""
        self._answers: deque[Any] = deque()
        """Green threads that answer messages, in their order."""
        self._frames: list[bytes] = []
        self._size = 0
        """Bytes that wait, in the queue or as frames."""
        self._is_waiting = False
        """Whether it is known to the server as one that has something to write."""
        self._is_blocked = False
        """Whether the client did not take all, and a green thread of its own waits for it."""

    # What is told to the client.

    def send(self, pkt: Packet) -> None:
        """Tell the client a packet."""
        if self.closed:
            raise exceptions.SocketIsClosedError
        self.server.flush_broadcast()
        if self._socket is not None:
            self._write(frames.make_frame(pkt.encode()))
        else:
            self._queue(pkt)

    def tell(self, packets: Iterable[FramedPacket], their_frames: bytes) -> None:
        """Tell the client packets that many are told."""
        if self._socket is not None:
            self._write(their_frames)
            return
        for packet in packets:
            self._queue(packet)

    def _queue(self, pkt: Packet) -> None:
        self._size += len(pkt.encode())
        self.queue.put(pkt)
        if self._size > limits.WAITING_BYTES or self.queue.qsize() > limits.WAITING_FRAMES:
            self._give_up("it does not fetch what it is told")

    def poll(self) -> list[Packet]:
        """Wait for packets, and give all that are there."""
        packets: list[Packet] = super().poll()
        self._size = 0
        return packets

    def _write(self, frame: bytes) -> None:
        self._frames.append(frame)
        self._size += len(frame)
        if self._is_blocked:
            if self._size > limits.WAITING_BYTES or len(self._frames) > limits.WAITING_FRAMES:
                self._give_up("it does not read what it is told")
        elif not self.server.coalesces_writes:
            self.write_waiting()
        elif not self._is_waiting:
            self._is_waiting = True
            self.server.write_later(self)

    def write_waiting(self) -> None:
        """Write what waits, as far as the client takes it; the rest as soon as it does."""
        self._is_waiting = False
        if self._is_blocked or not self._frames or self._send_now is None:
            return
        data = self._frames[0] if len(self._frames) == 1 else b"".join(self._frames)
        self._frames.clear()
        try:
            sent = self._send_now(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            return  # The reading ends for the same reason, and closes it.
        if sent < len(data):
            self._size = len(data) - sent
            self._is_blocked = True
            eventlet.spawn_n(self._write_rest, self._socket, memoryview(data)[sent:])
        else:
            self._size = 0

    def _write_rest(self, socket: Any, rest: memoryview) -> None:
        try:
            while rest or self._frames:
                if not rest:
                    rest = memoryview(b"".join(self._frames))
                    self._frames.clear()
                sent = socket.send(rest)
                self._size -= sent
                rest = rest[sent:]
        except OSError:
            self._frames.clear()
        finally:
            self._is_blocked = False

    def _give_up(self, reason: str) -> None:
        # Whoever tells may be in the middle of telling many: the end comes after that.
        self._frames.clear()
        self._size = 0
        eventlet.spawn_n(self._end, reason, is_offence=False)

    def _pong(self, data: bytes) -> None:
        if self._socket is not None:
            self._write(frames.make_pong(data))

    def _end(self, reason: str, *, is_offence: bool = True) -> None:
        self.server.connection_guard.end(self.sid, reason, is_offence=is_offence)

    # What the client says.

    def take(self, text: object) -> None:
        """Take one of Engine.IO's packets. Raises `Malformed`."""
        if not isinstance(text, str):
            raise Malformed("a binary message")
        if text[:1] == "4":
            self._take_message(text[1:])
        elif text == "3":
            if self._answer_by is not None:
                self._answer_by = None
                self._ping_at = time.monotonic() + self.server.ping_interval
        elif text == "1":
            self.close(wait=False, abort=True, reason=self.server.reason.CLIENT_DISCONNECT)
        elif text != "6":
            raise Malformed("a malformed packet of Engine.IO")

    def _take_message(self, text: str) -> None:
        """Let one of Socket.IO's packets be answered, after those before it.

        Only messages that follow one another need not wait for the answers, so that one commit stores them all. Their
        order holds: green threads begin in the order of their making, and each has handed its message to the writer
        before it waits for the first time.
        """
        is_waited_for = OVERLAPPING.match(text) is None
        while self._answers and (is_waited_for or self._answers[0].dead or len(self._answers) >= limits.OVERLAP):
            self._answers.popleft().wait()
        if is_waited_for:
            self.server.handlers["message"](self.sid, text)
        else:
            self._answers.append(eventlet.spawn(self.server.handlers["message"], self.sid, text))

    def handle_post_request(self, environ: "WSGIEnvironment") -> None:
        """Take what a client that polls says."""
        try:
            size = int(environ.get("CONTENT_LENGTH") or 0)
            if size > self.server.max_http_buffer_size:
                raise Malformed(f"a request of more than {self.server.max_http_buffer_size:,} bytes")
            packets = environ["wsgi.input"].read(size).decode().split("\x1e")
            if len(packets) > limits.PACKETS:
                raise Malformed("too many packets in a request")
            state = self.server.connection_guard.find_connection_state(self.sid)
            for text in packets:
                if state is not None and not self.closed:
                    state.count(len(text))
                    self.take(text)
        except (ValueError, OSError) as error:
            self._end(str(error) if isinstance(error, Malformed) else "a malformed request")
            raise exceptions.EngineIOError from None

    def _websocket_handler(self, ws: Any) -> list[bytes]:
        socket = ws.socket
        # Silent clients are found by their pings.
        socket.settimeout(None)
        state = self.server.connection_guard.find_connection_state(self.sid)
        if state is None:
            return []
        reader = frames.FrameReader(
            socket.recv,
            self.server.max_http_buffer_size,
            state.count,
            self._pong,
        )
        ws.websocket_closed = True  # Its closing frame is ours to send.
        try:
            if self.connected and not self._upgrade(socket, reader):
                return []
            self._begin(socket)
            while not self.closed:
                self.take(reader.read())
        except Malformed as error:
            self._end(str(error))
        except (frames.Closed, OSError):
            pass
        except Exception:
            log.exception("connection failed", user=state.user_id)
        finally:
            if self._socket is socket:
                self.close(wait=False, abort=True, reason=self.server.reason.TRANSPORT_CLOSE)
                self._socket = self._send_now = None
        return []

    def _upgrade(self, socket: Any, reader: frames.FrameReader) -> bool:
        """Go from polling to WebSocket. What is told meanwhile waits in the queue."""
        if self.upgrading:
            return False
        self.upgrading = True
        try:
            with eventlet.Timeout(limits.HANDSHAKE):
                if reader.read() != "2probe":
                    raise Malformed("a malformed upgrade")
                socket.sendall(frames.make_frame("3probe"))
                self.queue.put(Packet(eio_packet.NOOP))
                if reader.read() != "5":
                    raise Malformed("a malformed upgrade")
        except eventlet.Timeout:
            return False
        finally:
            self.upgrading = False
        return not self.closed

    def _begin(self, socket: Any) -> None:
        """Write to the WebSocket from now on, first what is left in the queue."""
        self._socket = socket
        self._send_now = socket.fd.send
        self.connected = self.upgraded = True
        self._size = 0
        while not self.queue.empty():
            if (pkt := self.queue.get_nowait()) is not None and pkt.packet_type != eio_packet.NOOP:
                self._write(frames.make_frame(pkt.encode()))

    # Its end.

    def schedule_ping(self) -> None:
        """Do nothing: the server pings everybody."""

    def check_ping_timeout(self) -> bool:
        """Tell that the client is there: the server looks."""
        return True

    def ping_if_due(self, now: float) -> None:
        """Ping the client when it is time; close the connection when it has not answered the last one in time."""
        if self._answer_by is not None:
            if now > self._answer_by:
                self.close(wait=False, abort=True, reason=self.server.reason.PING_TIMEOUT)
        elif now >= self._ping_at:
            self._answer_by = now + self.server.ping_timeout
            self.send(Packet(eio_packet.PING))

    def close(self, wait: bool = True, abort: bool = False, reason: str | None = None) -> None:  # noqa: ARG002, FBT001
        """Close the connection; with `abort` without a word. It waits for nothing."""
        if self.closed or self.closing:
            return
        self.closing = True
        self.server._trigger_event(  # noqa: SLF001 - the library's own class does the same
            "disconnect", self.sid, reason or self.server.reason.SERVER_DISCONNECT, run_async=False
        )
        if self._socket is None:
            if not abort:
                self.send(Packet(eio_packet.CLOSE))
            self.closed = True
            self.queue.put(None)
            return
        if not abort:
            self.send(Packet(eio_packet.CLOSE))
            self._write(frames.make_close(1000))
            self.write_waiting()
        self.closed = True
        # Whoever waits for it to be read or written wakes up.
        with suppress(OSError):
            self._socket.shutdown(SHUT_RDWR)
