"""Connections of the fast engine: they parse many frames at once, and need no thread of their own for writing.

If a socket does not accept all data at once, a green thread writes the rest. Further frames are queued meanwhile, so
the order is kept. While a connection polls, packets are put into the library's queue. After an upgrade to WebSocket the
packets that are left there are sent first.

This module and `server.py` depend on internals of python-engineio and eventlet: see `versions.py`.
"""

import time
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from socket import SHUT_RDWR
from typing import TYPE_CHECKING, Any

import eventlet
from engineio import exceptions
from engineio import packet as eio_packet
from engineio.packet import Packet
from engineio.socket import Socket

from chatapp.socket_engine import frames, limits
from chatapp.socket_engine.packets import Malformed

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

    from chatapp.socket_engine.server import FastServer, FramedPacket


class Connection(Socket):  # type: ignore[misc]  # the library is not typed
    """One client, over polling or WebSocket."""

    server: "FastServer"
    closed: bool
    closing: bool
    upgrading: bool

    def __init__(self, server: "FastServer", sid: str) -> None:
        super().__init__(server, sid)
        self._next_ping_at = time.monotonic() + server.ping_interval
        self._pong_deadline: float | None = None
        self._socket: Any = None
        """Eventlet's socket, once the connection is a WebSocket."""
        self._send_now: Any = None
        """The system's `send`, which does not block."""
        self._handlers: deque[Any] = deque()
        """Green threads that handle concurrent events, in the order of the events."""
        self._frames: list[bytes] = []
        self._queued_bytes = 0
        """Bytes in the library's queue and in `_frames`."""
        self._is_flush_scheduled = False
        self._is_blocked = False
        """Whether the socket did not accept all data, and a green thread waits to write the rest."""

    # Sending.

    def send(self, pkt: Packet) -> None:
        """Send a packet."""
        if self.closed:
            raise exceptions.SocketIsClosedError
        self.server.flush_broadcast()
        if self._socket is not None:
            self._write(frames.make_frame(pkt.encode()))
        else:
            self._queue(pkt)

    def deliver(self, packets: "Iterable[FramedPacket]", joined_frames: bytes) -> None:
        """Send packets of a broadcast, given as packets and as their frames."""
        if self._socket is not None:
            self._write(joined_frames)
            return
        for packet in packets:
            self._queue(packet)

    def poll(self) -> list[Packet]:
        """Wait for packets, and return all that are queued."""
        packets: list[Packet] = super().poll()
        self._queued_bytes = 0
        return packets

    def flush(self) -> None:
        """Write the queued frames without blocking. A green thread writes what the socket does not accept now."""
        self._is_flush_scheduled = False
        if self._is_blocked or not self._frames or self._send_now is None:
            return
        data = self._frames[0] if len(self._frames) == 1 else b"".join(self._frames)
        self._frames.clear()
        try:
            sent = self._send_now(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            return  # Reading fails for the same reason, and closes the connection.
        if sent < len(data):
            self._queued_bytes = len(data) - sent
            self._is_blocked = True
            self.server.spawn(self._write_rest, self._socket, memoryview(data)[sent:])
        else:
            self._queued_bytes = 0

    def fail(self, error: Exception) -> None:
        """Record an unexpected exception and close the connection: the client reconnects and catches up.

        An open connection might lack a part of a frame, or wait for ever.
        """
        self.server.record_failure(error)
        self._disconnect_later("an error of the server")

    def _queue(self, pkt: Packet) -> None:
        self._queued_bytes += len(pkt.encode())
        self.queue.put(pkt)
        if self._queued_bytes > limits.MAX_QUEUED_BYTES or self.queue.qsize() > limits.MAX_QUEUED_FRAMES:
            self._disconnect_later("the client does not fetch its packets")

    def _write(self, frame: bytes) -> None:
        self._frames.append(frame)
        self._queued_bytes += len(frame)
        if self._is_blocked:
            if self._queued_bytes > limits.MAX_QUEUED_BYTES or len(self._frames) > limits.MAX_QUEUED_FRAMES:
                self._disconnect_later("the client does not read its packets")
        elif not self.server.coalesces_writes:
            self.flush()
        elif not self._is_flush_scheduled:
            self._is_flush_scheduled = True
            self.server.schedule_flush(self)

    def _write_rest(self, socket: Any, rest: memoryview) -> None:
        try:
            while rest or self._frames:
                if not rest:
                    rest = memoryview(b"".join(self._frames))
                    self._frames.clear()
                sent = socket.send(rest)
                self._queued_bytes -= sent
                rest = rest[sent:]
        except OSError:
            self._frames.clear()
        except Exception as error:
            self.fail(error)
            return  # It stays blocked: nothing may follow a part of a frame.
        self._is_blocked = False

    def _disconnect_later(self, reason: str) -> None:
        # Not now: the caller may be in the middle of a broadcast.
        self._frames.clear()
        self._queued_bytes = 0
        self.server.spawn(self._disconnect_without_penalty, reason)

    def _disconnect_without_penalty(self, reason: str) -> None:
        self.server.connection_guard.disconnect(self.sid, reason, is_abuse=False)

    def _disconnect_abusive(self, reason: str) -> None:
        self.server.connection_guard.disconnect(self.sid, reason)

    def _send_pong(self, data: bytes) -> None:
        if self._socket is not None:
            self._write(frames.make_pong(data))

    # Receiving.

    def receive(self, text: object) -> None:
        """Process an Engine.IO packet. Raises `Malformed`."""
        if not isinstance(text, str):
            raise Malformed("a binary message")
        if text[:1] == "4":
            self._handle_message(text[1:])
        elif text == "3":
            if self._pong_deadline is not None:
                self._pong_deadline = None
                self._next_ping_at = time.monotonic() + self.server.ping_interval
        elif text == "1":
            self.close(wait=False, abort=True, reason=self.server.reason.CLIENT_DISCONNECT)
        elif text != "6":
            raise Malformed("a malformed Engine.IO packet")

    def _handle_message(self, text: str) -> None:
        """Handle a Socket.IO packet once the packets before it are handled.

        Only concurrent events that follow one another are handled at the same time, so that one commit stores all of
        them. Their order is kept: green threads start in the order of their creation, and each has submitted its change
        to the writer before it yields for the first time.
        """
        is_concurrent = self.server.is_concurrent(text) is not None
        while self._handlers and (
            not is_concurrent or self._handlers[0].dead or len(self._handlers) >= limits.MAX_CONCURRENT_EVENTS
        ):
            self._handlers.popleft().wait()
        if is_concurrent:
            self._handlers.append(eventlet.spawn(self._handle_concurrently, text))
        else:
            self.server.handlers["message"](self.sid, text)

    def _handle_concurrently(self, text: str) -> None:
        try:
            self.server.handlers["message"](self.sid, text)
        except Exception as error:
            self.fail(error)

    def handle_post_request(self, environ: "WSGIEnvironment") -> None:
        """Process the body of a polling request."""
        try:
            size = int(environ.get("CONTENT_LENGTH") or 0)
            if size > self.server.max_http_buffer_size:
                raise Malformed(f"a request of more than {self.server.max_http_buffer_size:,} bytes")
            packets = environ["wsgi.input"].read(size).decode().split("\x1e")
            if len(packets) > limits.MAX_PACKETS_PER_REQUEST:
                raise Malformed("too many packets in a request")
            state = self.server.connection_guard.find_connection_state(self.sid)
            for text in packets:
                if state is not None and not self.closed:
                    state.throttle(len(text))
                    self.receive(text)
        except (ValueError, OSError) as error:
            self._disconnect_abusive(str(error) if isinstance(error, Malformed) else "a malformed request")
            raise exceptions.EngineIOError from None

    def _websocket_handler(self, ws: Any) -> list[bytes]:
        socket = ws.socket
        # Missing pongs detect clients that are gone.
        socket.settimeout(None)
        state = self.server.connection_guard.find_connection_state(self.sid)
        if state is None:
            return []
        reader = frames.FrameReader(
            socket.recv,
            self.server.max_http_buffer_size,
            state.throttle,
            self._send_pong,
        )
        ws.websocket_closed = True  # The close frame is sent by `close`.
        try:
            if self.connected and not self._upgrade(socket, reader):
                return []
            self._begin(socket)
            while not self.closed:
                self.receive(reader.read())
        except Malformed as error:
            self._disconnect_abusive(str(error))
        except (frames.Closed, OSError):
            pass
        except Exception as error:
            self.server.record_failure(error)
        finally:
            if self._socket is socket:
                self.close(wait=False, abort=True, reason=self.server.reason.TRANSPORT_CLOSE)
                self._socket = self._send_now = None
        return []

    def _upgrade(self, socket: Any, reader: frames.FrameReader) -> bool:
        """Upgrade from polling to WebSocket. Packets that are sent meanwhile stay in the queue."""
        if self.upgrading:
            return False
        self.upgrading = True
        try:
            with eventlet.Timeout(limits.HANDSHAKE_SECONDS):
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
        """Write to the WebSocket from now on; first the packets that are left in the queue."""
        self._socket = socket
        self._send_now = socket.fd.send
        self.connected = self.upgraded = True
        self._queued_bytes = 0
        while not self.queue.empty():
            if (pkt := self.queue.get_nowait()) is not None and pkt.packet_type != eio_packet.NOOP:
                self._write(frames.make_frame(pkt.encode()))

    # Pings and closing.

    def schedule_ping(self) -> None:
        """Do nothing: the server pings all connections."""

    def check_ping_timeout(self) -> bool:
        """Return True: the server closes connections that do not respond."""
        return True

    def ping_if_due(self, now: float) -> None:
        """Ping the client when it is time; close the connection when the last ping had no response in time."""
        if self._pong_deadline is not None:
            if now > self._pong_deadline:
                self.close(wait=False, abort=True, reason=self.server.reason.PING_TIMEOUT)
        elif now >= self._next_ping_at:
            self._pong_deadline = now + self.server.ping_timeout
            self.send(Packet(eio_packet.PING))

    def close(self, wait: bool = True, abort: bool = False, reason: str | None = None) -> None:  # noqa: ARG002, FBT001
        """Close the connection without waiting; with `abort` without a closing packet."""
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
            self.flush()
        self.closed = True
        # Wakes the green threads that read from it or write to it.
        with suppress(OSError):
            self._socket.shutdown(SHUT_RDWR)
