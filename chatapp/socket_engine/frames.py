"""WebSocket frames: many are parsed from the data of one system call, and unmasked at once.

See RFC 6455, section 5. Eventlet's own reader makes three system calls for a frame and unmasks it byte by byte.
"""

from collections.abc import Callable

from engineio.packet import MESSAGE, Packet

from chatapp.socket_engine.limits import MAX_FRAGMENTS
from chatapp.socket_engine.packets import Malformed

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = OPCODES = 0, 1, 2, 8, 9, 10

OPCODE, LAST = 0x0F, 0x80
"""Bits of a frame's first byte: its opcode, and whether it is the last one of its message."""

MASK_BYTES = 4

RECEIVE_BYTES = 16_384
"""Bytes that are requested from the system at once."""


class Closed(Exception):
    """The client has closed the connection."""


def make_frame(text: str) -> bytes:
    """Return an unmasked text frame, as servers send it."""
    return _make_frame(TEXT, text.encode())


def make_pong(data: bytes) -> bytes:
    """Return the response to a WebSocket ping that carried `data`."""
    return _make_frame(PONG, data)


def make_close(code: int) -> bytes:
    """Return a close frame with a status code of RFC 6455, section 7.4."""
    return _make_frame(CLOSE, code.to_bytes(2, "big"))


def _make_frame(opcode: int, data: bytes) -> bytes:
    size = len(data)
    if size < 126:
        return bytes((LAST | opcode, size)) + data
    if size < 65_536:
        return bytes((LAST | opcode, 126)) + size.to_bytes(2, "big") + data
    return bytes((LAST | opcode, 127)) + size.to_bytes(8, "big") + data


class FramedPacket(Packet):  # type: ignore[misc]  # the library is not typed
    """An Engine.IO message with a Socket.IO packet, whose frame is encoded once for all connections."""

    packet_type = MESSAGE
    binary = False

    def __init__(self, packet: bytes) -> None:
        self._encoded = b"4" + packet
        self._text: str | None = None
        self.frame = _make_frame(TEXT, self._encoded)
        """The message as a WebSocket frame."""

    def encode(self, b64: bool = False) -> str:  # noqa: ARG002, FBT001 - the library's signature
        """Return the message as polling connections receive it."""
        if self._text is None:
            self._text = self._encoded.decode()
        return self._text


class FrameReader:
    """Parses the messages of a client from the bytes that `feed` gets, in whatever pieces they arrive.

    `count(size)` is called with the size of every frame and returns the seconds to wait before the next one is read:
    until `resume` is called, `read` returns no more messages. `send_pong(data)` is called for every ping. A message,
    all its fragments together, may have `max_bytes` bytes.
    """

    def __init__(self, max_bytes: int, count: Callable[[int], float], send_pong: Callable[[bytes], None]) -> None:
        self._max_bytes = max_bytes
        self._count = count
        self._send_pong = send_pong
        self._data = bytearray()
        self._fragments: list[bytes] = []
        """Fragments of a message of which the last one is missing."""
        self._fragment_bytes = 0
        self.pause = 0.0
        """Seconds to wait before `resume` is called."""

    def feed(self, data: bytes) -> None:
        """Add bytes that have arrived."""
        self._data += data

    def resume(self) -> None:
        """Read on after a pause."""
        self.pause = 0.0

    def read(self) -> str | None:
        """Return the next message; None if it is incomplete, or during a pause.

        Raises `Closed` after a close frame, and `Malformed` for a frame that is not accepted.
        """
        while not self.pause and (frame := self._take_frame()) is not None:
            first, data = frame
            if first == LAST | TEXT and not self._fragments:
                return _decode(data)
            if (message := self._add_frame(first & OPCODE, data, is_last=bool(first & LAST))) is not None:
                return _decode(message)
        return None

    def _add_frame(self, opcode: int, data: bytes, *, is_last: bool) -> bytes | None:
        """Handle a control frame, or add a fragment. Return the message that it completes."""
        if opcode == CLOSE:
            raise Closed
        if opcode == PING:
            self._send_pong(data)
        if opcode >= CLOSE:
            return None
        if opcode == BINARY:
            raise Malformed("a binary message")
        if self._fragments and opcode:
            raise Malformed("a message within a fragmented one")
        if not self._fragments and not opcode:
            raise Malformed("a continuation without a first fragment")
        self._fragments.append(data)
        self._fragment_bytes += len(data)
        if len(self._fragments) > MAX_FRAGMENTS:
            raise Malformed("too many fragments")
        if not is_last:
            return None
        message = b"".join(self._fragments)
        self._fragments.clear()
        self._fragment_bytes = 0
        return message

    def _take_frame(self) -> tuple[int, bytes] | None:
        """Return the first byte of the next frame and its payload; None if it is incomplete."""
        data = self._data
        body = 2
        size = data[1] & 0x7F if len(data) >= body else 0
        if size >= 126:
            body += 2 if size == 126 else 8
            size = int.from_bytes(data[2:body], "big")
        if len(data) < body:
            return None
        first = data[0]
        self._check_head(first, data[1], size)
        body += MASK_BYTES
        end = body + size
        if len(data) < end:
            return None
        self.pause = self._count(size)
        payload = unmask(data[body:end], data[body - MASK_BYTES : body]) if size else b""
        del data[:end]
        return first, payload

    def _check_head(self, first: int, second: int, size: int) -> None:
        opcode = first & OPCODE
        if first & 0x70 or opcode not in OPCODES:
            raise Malformed("a frame of an unknown type")
        if not second & 0x80:
            raise Malformed("a frame without a mask")
        if opcode >= CLOSE and (size > 125 or not first & LAST):
            raise Malformed("a malformed control frame")
        if self._fragment_bytes + size > self._max_bytes:
            raise Malformed(f"a message of more than {self._max_bytes:,} bytes")


def unmask(data: bytes | bytearray, mask: bytes | bytearray) -> bytes:
    """Return `data` XOR the repeated four bytes of `mask`. This masks and unmasks."""
    # Computed with two large integers, so that the loop over the bytes is in C.
    size = len(data)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(data, "little") ^ int.from_bytes(key, "little")).to_bytes(size, "little")


def _decode(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise Malformed("a text that is not UTF-8") from None
