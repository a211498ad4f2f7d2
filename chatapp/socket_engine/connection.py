"""Connections of the fast engine: they parse many frames at once, and need no thread of their own to read and write.

The event loop calls a connection when data has arrived on its WebSocket. A green thread for each would be switched to
for each message. While a packet is handled that others wait for, nothing more is read.

A WebSocket takes its socket from the HTTP server when it begins. So the green thread of its request ends, with the
buffers and headers of HTTP: they would need more memory than the connection itself.

If a socket does not accept all data at once, a green thread writes the rest. Further frames are queued meanwhile, so
the order is kept. While a connection polls, packets are put into the library's queue. After an upgrade to WebSocket the
packets that are left there are sent first.

This module and `server.py` depend on internals of python-engineio and eventlet: see `versions.py`.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from socket import SHUT_RDWR
from typing import TYPE_CHECKING, Any

import eventlet
from engineio import exceptions
from engineio import packet as eio_packet
from engineio.packet import Packet
from engineio.socket import Socket
from eventlet.event import Event
from eventlet.hubs import get_hub, trampoline
from eventlet.hubs.hub import READ

from chatapp.socket_engine import codec, frames, limits
from chatapp.socket_engine.events import EventOrder
from chatapp.socket_engine.frames import FramedPacket
from chatapp.socket_engine.packets import Malformed, parse_event

DETACH_SOCKET = "chatapp.detach_socket"
"""Where the HTTP server puts a function into the WSGI environment that gives up the request's socket.

It returns the socket, and a function to call when the socket is closed. Nothing more is read or written by the server.
"""

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

    from chatapp.socket_engine.server import FastServer


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
        """The system's socket, which does not block, once the connection is a WebSocket."""
        self._release: Callable[[], object] | None = None
        """Informs the HTTP server that the socket is closed."""
        self._send_now: Any = None
        """The system's `send`, which does not block."""
        self._order = EventOrder(self._spawn, self._on_unblocked)
        self._unblocked: Any = None
        """The event that wakes a polling request which waits until the order is not blocked."""
        self._reader: frames.FrameReader | None = None
        """Parses what arrives, once the connection is a WebSocket."""
        self._is_paused = False
        """Whether reading continues after a pause, as a rate limit is exceeded or others have to be served."""
        self._listener: Any = None
        """The event loop's object that calls `_on_readable`. There is none while nothing more may be read."""
        self._has_ended = False
        """Whether nothing more is read from the WebSocket."""
        self._frames: deque[bytes] = deque()
        self._queued_bytes = 0
        """Bytes in the library's queue and in `_frames`."""
        self._own_bytes = 0
        """Bytes of the frames for this client alone since nothing was queued."""
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
            frame = pkt.frame if isinstance(pkt, FramedPacket) else frames.make_frame(pkt.encode())
            self._own_bytes += len(frame)
            self._write(frame)
        else:
            self._queue(pkt)

    def deliver(self, packets: Iterable[FramedPacket], joined_frames: bytes) -> None:
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
        if self._is_blocked or self._send_now is None:
            return
        while self._frames:
            data = self._take_frames()
            try:
                sent = self._send_now(data)
            except BlockingIOError:
                sent = 0
            except OSError:
                return  # Reading fails for the same reason, and closes the connection.
            self._queued_bytes -= sent
            if sent < len(data):
                self._is_blocked = True
                self.server.spawn(self._write_rest, self._socket, memoryview(data)[sent:])
                return
        self._own_bytes = 0

    def _take_frames(self) -> bytes:
        """Remove the first frames from the queue, and return them as one piece.

        The others stay as they are: connections share the frames of a broadcast, however many of them are slow.
        """
        if len(self._frames) == 1:
            return self._frames.popleft()
        taken, size = [], 0
        while self._frames and size < limits.JOINED_BYTES:
            frame = self._frames.popleft()
            taken.append(frame)
            size += len(frame)
        return b"".join(taken)

    def fail(self, error: Exception) -> None:
        """Record an unexpected exception and close the connection: the client reconnects and catches up.

        An open connection might lack a part of a frame, or wait for ever.
        """
        self.server.record_failure(error)
        self._disconnect_later("an error of the server")

    def _queue(self, pkt: Packet) -> None:
        self._queued_bytes += len(pkt.encode())
        self.queue.put(pkt)
        if self._queued_bytes > limits.MAX_QUEUED_OWN_BYTES or self.queue.qsize() > limits.MAX_QUEUED_FRAMES:
            self._disconnect_later("the client does not fetch its packets")

    def _write(self, frame: bytes) -> None:
        self._frames.append(frame)
        self._queued_bytes += len(frame)
        if self._is_blocked:
            if (
                self._queued_bytes > limits.MAX_QUEUED_BYTES
                or self._own_bytes > limits.MAX_QUEUED_OWN_BYTES
                or len(self._frames) > limits.MAX_QUEUED_FRAMES
            ):
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
                    rest = memoryview(self._take_frames())
                try:
                    sent = socket.send(rest)
                except BlockingIOError:
                    trampoline(socket, write=True)
                    continue
                self._queued_bytes -= sent
                rest = rest[sent:]
        except OSError:
            self._frames.clear()
        except Exception as error:
            self.fail(error)
            return  # It stays blocked: nothing may follow a part of a frame.
        self._is_blocked = False
        self._own_bytes = 0

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

    def receive(self, text: str) -> None:
        """Process an Engine.IO packet. Raises `Malformed`."""
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
        """Handle a Socket.IO packet: an event with its handler, others with the library."""
        if text[:1] != "2":
            self._order.add(partial(self.server.handlers["message"], self.sid, text))
            return
        number, (name, *arguments) = parse_event(text, self.server.event_handlers)
        sid = self.server.connection_guard.find_sender(self.sid)
        if sid is None:
            return
        event = self.server.event_handlers[name]
        waiting = event.find_waiting(arguments)
        if waiting is None:
            self._order.begin_immediate()
            event.handle(sid, arguments, partial(self._acknowledge_immediate, number))
        else:
            self._order.add(partial(waiting, sid, arguments, partial(self._acknowledge, number)))

    def _acknowledge(self, number: int | None, ack: Mapping[str, Any]) -> None:
        if number is not None and not self.closed:
            self.send(FramedPacket(b"3%d[%s]" % (number, codec.encode(ack))))

    def _acknowledge_immediate(self, number: int | None, ack: Mapping[str, Any]) -> None:
        try:
            self._acknowledge(number, ack)
        finally:
            self._order.end_immediate()

    def _spawn(self, handle: Callable[[], object]) -> None:
        self.server.spawn(self._run, handle)

    def _run(self, handle: Callable[[], object]) -> None:
        try:
            handle()
        except Exception as error:
            self.fail(error)

    def _on_unblocked(self) -> None:
        if self._reader is not None:
            get_hub().schedule_call_global(0, self._read_on)
        if self._unblocked is not None:
            self._unblocked.send()
            self._unblocked = None

    # Receiving by polling.

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
                    self._wait_until_unblocked()
                if state is not None and not self.closed:
                    self.receive(text)
            self._wait_until_unblocked()
        except (ValueError, OSError) as error:
            self._disconnect_abusive(str(error) if isinstance(error, Malformed) else "a malformed request")
            raise exceptions.EngineIOError from None

    def _wait_until_unblocked(self) -> None:
        while self._order.is_blocked and not self.closed:
            if self._unblocked is None:
                self._unblocked = Event()
            self._unblocked.wait()

    # Receiving from a WebSocket.

    def _websocket_handler(self, ws: Any) -> list[bytes]:
        state = self.server.connection_guard.find_connection_state(self.sid)
        if state is None:
            return []
        reader = frames.FrameReader(self.server.max_http_buffer_size, state.count, self._send_pong)
        ws.websocket_closed = True  # The close frame is sent by `close`.
        # Missing pongs detect clients that are gone.
        ws.socket.settimeout(None)
        try:
            if self.connected and not self._upgrade(ws.socket, reader):
                return []
        except Malformed as error:
            self._disconnect_abusive(str(error))
        except (frames.Closed, OSError):
            pass
        except Exception as error:
            self.server.record_failure(error)
        else:
            socket, release = ws.environ[DETACH_SOCKET]()
            self._begin(socket, release, reader)
        return []

    def _upgrade(self, socket: Any, reader: frames.FrameReader) -> bool:
        """Upgrade from polling to WebSocket. Packets that are sent meanwhile stay in the queue."""
        if self.upgrading:
            return False
        self.upgrading = True
        try:
            with eventlet.Timeout(limits.HANDSHAKE_SECONDS):
                if _wait_for_message(socket, reader) != "2probe":
                    raise Malformed("a malformed upgrade")
                socket.sendall(frames.make_frame("3probe"))
                self.queue.put(Packet(eio_packet.NOOP))
                if _wait_for_message(socket, reader) != "5":
                    raise Malformed("a malformed upgrade")
        except eventlet.Timeout:
            return False
        finally:
            self.upgrading = False
        return not self.closed

    def _begin(self, socket: Any, release: Callable[[], object], reader: frames.FrameReader) -> None:
        """Use the WebSocket from now on. The packets that are left in the queue are written first."""
        self._socket = socket
        self._release = release
        self._send_now = socket.send
        self._reader = reader
        self.connected = self.upgraded = True
        self._queued_bytes = 0
        while not self.queue.empty():
            if (pkt := self.queue.get_nowait()) is not None and pkt.packet_type != eio_packet.NOOP:
                self._write(frames.make_frame(pkt.encode()))
        self._read_on()

    def _on_readable(self, _fileno: int) -> None:
        """Read what has arrived. The event loop calls it, so it must not wait."""
        if self._reader is None or not self._may_read():
            self._stop_listening()
            return
        try:
            data = self._socket.recv(frames.RECEIVE_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self._end(error)
            return
        if data:
            self._reader.feed(data)
            self._read_on()
        else:
            self._end(frames.Closed())

    def _read_on(self) -> None:
        """Handle the messages that have arrived, as far as that is possible now, then listen for more."""
        if self._reader is None or self._has_ended or self._is_paused:
            return
        turn_ends_at, is_turn_over = time.perf_counter() + limits.TURN_SECONDS, False
        try:
            while not self._order.is_blocked and not self.closed and (text := self._reader.read()) is not None:
                self.receive(text)
                if is_turn_over := time.perf_counter() > turn_ends_at:
                    break
        except Exception as error:
            self._end(error)
            return
        if self._reader.pause or is_turn_over:
            self._is_paused = True
            get_hub().schedule_call_global(self._reader.pause, self._resume)
        elif self._listener is None and self._may_read() and not self._has_ended:
            self._listen()

    def _may_read(self) -> bool:
        return self._reader is not None and not self._is_paused and not self._order.is_blocked

    def _resume(self) -> None:
        self._is_paused = False
        if self._reader is not None:
            self._reader.resume()
            self._read_on()

    def _listen(self) -> None:
        self._listener = get_hub().add(READ, self._socket.fileno(), self._on_readable, self._end, lambda: None)

    def _stop_listening(self) -> None:
        if self._listener is not None:
            get_hub().remove(self._listener)
            self._listener = None

    def _end(self, error: Exception) -> None:
        """Stop reading, and close the WebSocket on a green thread."""
        self._stop_listening()
        if not self._has_ended:
            self._has_ended = True
            self.server.spawn(self._finish, error)

    def _finish(self, error: Exception) -> None:
        try:
            if isinstance(error, Malformed):
                self._disconnect_abusive(str(error))
            elif not isinstance(error, frames.Closed | OSError):
                self.server.record_failure(error)
            self.close(wait=False, abort=True, reason=self.server.reason.TRANSPORT_CLOSE)
        finally:
            socket, release = self._socket, self._release
            self._socket = self._send_now = self._release = self._reader = None
            if socket is not None:
                socket.close()
            if release is not None:
                release()

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
        # Wakes the green thread that writes to it.
        with suppress(OSError):
            self._socket.shutdown(SHUT_RDWR)
        self._end(frames.Closed())


def _wait_for_message(socket: Any, reader: frames.FrameReader) -> str:
    """Return the next message, on a green thread."""
    while (message := reader.read()) is None:
        if reader.pause:
            eventlet.sleep(reader.pause)
            reader.resume()
            continue
        data = socket.recv(frames.RECEIVE_BYTES)
        if not data:
            raise frames.Closed
        reader.feed(data)
    return message
