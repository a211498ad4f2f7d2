"""Streams of connections that end when a client keeps the server waiting for too long.

A client has a budget of seconds for which it may keep the server waiting. Bytes that it sends or receives refill the
budget, so a slow but steady connection is not cut. A client that is never waited for cannot keep others waiting: other
threads run between its transfers.
"""

import time
from io import RawIOBase
from math import inf
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

MIN_BYTES_PER_SECOND = 500
"""Rate of a body or a response that a client must reach on average."""

LINGER_SECONDS = 5.0
"""Time for which the rest of a body is discarded after its response."""

MAX_DISCARDED_BYTES = 4_000_000
"""Size up to which the rest of a body is discarded, so that its sender reads the response."""

YIELD_INTERVAL = 4
"""Transfers after which other threads run. A green socket does not yield while it need not wait."""


class Budget:
    """Seconds for which a client may keep the server waiting."""

    __slots__ = ("_bytes_left", "_bytes_per_second", "_deadline", "_left", "_max")

    def __init__(self) -> None:
        self.set(0.0)

    def set(self, seconds: float, *, bytes_per_second: float | None = None) -> None:
        """Start with `seconds`, which transferred bytes refill at this rate, if one is given."""
        self._left = self._max = seconds
        self._bytes_per_second = bytes_per_second
        self._deadline = self._bytes_left = inf

    def limit(self, seconds: float, size: int) -> None:
        """Leave at most `seconds` from now, whether the client is waited for or not, and `size` bytes."""
        self.set(min(seconds, self._left))
        self._deadline = time.monotonic() + seconds
        self._bytes_left = size

    @property
    def left(self) -> float:
        """The seconds that are left. Raises `TimeoutError` if there are none, or no bytes."""
        if self._bytes_left <= 0:
            raise TimeoutError("the client sends too much")
        left = min(self._left, self._deadline - time.monotonic())
        if left <= 0:
            raise TimeoutError("the client is too slow")
        return left

    def spend(self, seconds: float, size: int) -> None:
        """Subtract the time that a transfer of `size` bytes took."""
        self._left -= seconds
        self._bytes_left -= size
        if self._bytes_per_second is not None:
            self._left = min(self._max, self._left + size / self._bytes_per_second)


class TimedStream(RawIOBase):
    """A socket as a raw stream that raises `TimeoutError` when the budget for reading or writing is exhausted."""

    def __init__(self, socket: Any, seconds: float) -> None:
        self._socket = socket
        self._seconds = seconds
        self._is_idle = False
        self._transfers = 0
        self._reading, self._writing = Budget(), Budget()

    def begin_request(self, idle_seconds: float) -> None:
        """Wait `idle_seconds` for the first byte of a request, and then for the rest of its header."""
        self._is_idle = True
        self._reading.set(idle_seconds)
        self._writing.set(self._seconds, bytes_per_second=MIN_BYTES_PER_SECOND)

    def begin_body(self) -> None:
        """Wait for the body of a request."""
        self._reading.set(self._seconds, bytes_per_second=MIN_BYTES_PER_SECOND)

    def begin_discard(self) -> None:
        """Read the rest of a body that is not used, for a limited time and up to a limited size."""
        self._reading.limit(LINGER_SECONDS, MAX_DISCARDED_BYTES)

    def readable(self) -> bool:
        """Return True."""
        return True

    def writable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        """Wait for bytes, and return how many were read."""
        size: int = self._transfer(self._reading, self._socket.recv_into, buffer)
        if self._is_idle:
            self._is_idle = False
            self._reading.set(self._seconds)
        return size

    def write(self, buffer: "ReadableBuffer", /) -> int:
        """Send bytes, and return how many were accepted."""
        size: int = self._transfer(self._writing, self._socket.send, buffer)
        return size

    def _transfer(self, budget: Budget, transfer: Any, buffer: object) -> Any:
        self._transfers += 1
        if self._transfers % YIELD_INTERVAL == 0:
            time.sleep(0)
        self._socket.settimeout(budget.left)
        start, size = time.monotonic(), 0
        try:
            size = transfer(buffer)
        finally:
            budget.spend(time.monotonic() - start, size)
            self._socket.settimeout(None)
        return size
