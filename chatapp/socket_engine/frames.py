"""WebSocket frames: many are parsed from the data of one system call, and unmasked at once.

See RFC 6455, section 5. Eventlet's own reader makes three system calls for a frame and unmasks it byte by byte.
"""

from collections.abc import Callable

from chatapp.socket_engine.limits import MAX_FRAGMENTS
from chatapp.socket_engine.packets import Malformed

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10

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
        return bytes((0x80 | opcode, size)) + data
    if size < 65_536:
        return bytes((0x80 | opcode, 126)) + size.to_bytes(2, "big") + data
    return bytes((0x80 | opcode, 127)) + size.to_bytes(8, "big") + data


class FrameReader:
    """Reads the messages of a client.

    `receive(size)` returns up to `size` bytes, none at the end of the stream. `count(size)` is called with the size of
    every frame, and `send_pong(data)` for every ping. A message, all its fragments together, may have `max_bytes`
    bytes.
    """

    def __init__(
        self,
        receive: Callable[[int], bytes],
        max_bytes: int,
        count: Callable[[int], None],
        send_pong: Callable[[bytes], None],
    ) -> None:
        self._receive = receive
        self._max_bytes = max_bytes
        self._count = count
        self._send_pong = send_pong
        self._data = b""
        self._position = 0

    def read(self) -> str:
        """Return the next message. Raises `Closed` at the end, `Malformed` for a frame that is not accepted."""
        opcode, is_last, data = self._next()
        if is_last and opcode == TEXT:
            return _decode(data)
        if opcode != TEXT:
            raise Malformed("a binary message" if opcode == BINARY else "a continuation without a first fragment")
        parts = [data]
        size = len(data)
        while not is_last:
            opcode, is_last, data = self._next(size)
            if opcode:
                raise Malformed("a message within a fragmented one")
            size += len(data)
            parts.append(data)
            if len(parts) > MAX_FRAGMENTS:
                raise Malformed("too many fragments")
        return _decode(b"".join(parts))

    def _next(self, previous_bytes: int = 0) -> tuple[int, bool, bytes]:
        """Return the opcode, the FIN flag and the payload of the next data frame; handle control frames before it.

        `previous_bytes` is the size of the fragments of the same message so far.
        """
        while True:
            first, second = self._take(2)
            opcode = first & 0x0F
            size = second & 0x7F
            if first & 0x70 or opcode not in (0, TEXT, BINARY, CLOSE, PING, PONG):
                raise Malformed("a frame of an unknown type")
            if not second & 0x80:
                raise Malformed("a frame without a mask")
            if opcode >= CLOSE and (size > 125 or not first & 0x80):
                raise Malformed("a malformed control frame")
            if size >= 126:
                size = int.from_bytes(self._take(2 if size == 126 else 8), "big")
            if previous_bytes + size > self._max_bytes:
                raise Malformed(f"a message of more than {self._max_bytes:,} bytes")
            self._count(size)
            mask = self._take(4)
            data = unmask(self._take(size), mask) if size else b""
            if opcode < CLOSE:
                return opcode, bool(first & 0x80), data
            if opcode == CLOSE:
                raise Closed
            if opcode == PING:
                self._send_pong(data)

    def _take(self, size: int) -> bytes:
        """Return the next `size` bytes of the stream."""
        end = self._position + size
        if end > len(self._data):
            parts = [self._data[self._position :]]
            missing = end - len(self._data)
            while missing > 0:
                part = self._receive(max(RECEIVE_BYTES, missing))
                if not part:
                    raise Closed
                parts.append(part)
                missing -= len(part)
            self._data = b"".join(parts)
            self._position, end = 0, size
        taken = self._data[self._position : end]
        if end == len(self._data):
            self._data, self._position = b"", 0
        else:
            self._position = end
        return taken


def unmask(data: bytes, mask: bytes) -> bytes:
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
