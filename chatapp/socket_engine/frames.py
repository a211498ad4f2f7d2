"""WebSocket's frames: many are read from what one system call brought, and unmasked at once.

See RFC 6455, section 5. Eventlet's own reader makes three system calls for a frame and unmasks it byte by byte.
"""

from collections.abc import Callable

from chatapp.socket_engine.limits import FRAGMENTS
from chatapp.socket_engine.packets import Malformed

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10

RECEIVED = 16_384
"""Bytes that are asked for at once."""


class Closed(Exception):
    """The client has ended the connection."""


def make_frame(text: str) -> bytes:
    """Give a text as one frame of the server."""
    return _frame(TEXT, text.encode())


def make_pong(data: bytes) -> bytes:
    """Give the answer to a ping of WebSocket's own."""
    return _frame(PONG, data)


def make_close(code: int) -> bytes:
    """Give the frame that ends a connection, with one of the codes of RFC 6455, section 7.4."""
    return _frame(CLOSE, code.to_bytes(2, "big"))


def _frame(opcode: int, data: bytes) -> bytes:
    size = len(data)
    if size < 126:
        return bytes((0x80 | opcode, size)) + data
    if size < 65_536:
        return bytes((0x80 | opcode, 126)) + size.to_bytes(2, "big") + data
    return bytes((0x80 | opcode, 127)) + size.to_bytes(8, "big") + data


class FrameReader:
    """Reads what a client sends: `receive` gives the next bytes, or none at the end.

    `count` is told the size of every frame, and `pong` has to send the answer to a ping.
    """

    def __init__(
        self, receive: Callable[[int], bytes], limit: int, count: Callable[[int], None], pong: Callable[[bytes], None]
    ) -> None:
        self._receive = receive
        self._limit = limit
        self._count = count
        self._pong = pong
        self._data = b""
        self._at = 0

    def read(self) -> str:
        """Give the next message. Raises `Closed` at the end, `Malformed` for what is no frame of ours."""
        opcode, is_last, data = self._next()
        if is_last and opcode == TEXT:
            return _decode(data)
        if opcode != TEXT:
            raise Malformed("a binary message" if opcode == BINARY else "a fragment of nothing")
        parts = [data]
        size = len(data)
        while not is_last:
            opcode, is_last, data = self._next(size)
            if opcode:
                raise Malformed("a message within a fragmented one")
            size += len(data)
            parts.append(data)
            if len(parts) > FRAGMENTS:
                raise Malformed("too many fragments")
        return _decode(b"".join(parts))

    def _next(self, before: int = 0) -> tuple[int, bool, bytes]:
        """Give the next frame of a message: what it is, whether it is the last one, and what it carries.

        `before` is how many bytes its message has already.
        """
        while True:
            first, second = self._take(2)
            opcode = first & 0x0F
            size = second & 0x7F
            if first & 0x70 or opcode not in (0, TEXT, BINARY, CLOSE, PING, PONG):
                raise Malformed("a frame of an unknown kind")
            if not second & 0x80:
                raise Malformed("a frame without a mask")
            if opcode >= CLOSE and (size > 125 or not first & 0x80):
                raise Malformed("a malformed control frame")
            if size >= 126:
                size = int.from_bytes(self._take(2 if size == 126 else 8), "big")
            if before + size > self._limit:
                raise Malformed(f"a message of more than {self._limit:,} bytes")
            self._count(size)
            mask = self._take(4)
            data = _unmask(self._take(size), mask) if size else b""
            if opcode < CLOSE:
                return opcode, bool(first & 0x80), data
            if opcode == CLOSE:
                raise Closed
            if opcode == PING:
                self._pong(data)

    def _take(self, size: int) -> bytes:
        end = self._at + size
        if end > len(self._data):
            parts = [self._data[self._at :]]
            missing = end - len(self._data)
            while missing > 0:
                part = self._receive(max(RECEIVED, missing))
                if not part:
                    raise Closed
                parts.append(part)
                missing -= len(part)
            self._data = b"".join(parts)
            self._at, end = 0, size
        taken = self._data[self._at : end]
        if end == len(self._data):
            self._data, self._at = b"", 0
        else:
            self._at = end
        return taken


def _unmask(data: bytes, mask: bytes) -> bytes:
    # As two large numbers: the loop over the bytes is C's.
    size = len(data)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(data, "little") ^ int.from_bytes(key, "little")).to_bytes(size, "little")


def _decode(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise Malformed("a text that is not UTF-8") from None
