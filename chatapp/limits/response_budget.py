"""Limits of what is read from servers that chatapp connects to: they may send anything, and without a pause."""

import time
from collections.abc import Callable

MAX_HEAD_BYTES = 16_384
"""Maximum size of the head of a response, including informational responses (status 1xx) before it."""

READ_BYTES = 8_192
"""Maximum size of one read. Parsing this much takes a few milliseconds, whatever it is."""


MAX_BYTES_PER_SECOND = 512 * 1024
"""Rate at which a response of text is read after its first part. The fastest models send half of it."""


class ResponseTooLarge(Exception):
    """A response, or a part of it, is larger than allowed."""


class ResponseBudget:
    """The number of bytes that may still be read of a response, or of its head.

    It counts what arrives, not what a parser makes of it: parsers consume informational responses, extensions of
    chunks and trailers without returning to their caller.
    """

    def __init__(self, max_bytes: int, bytes_per_second: float = MAX_BYTES_PER_SECOND) -> None:
        self._remaining_bytes = max_bytes
        self._bytes_per_second = bytes_per_second
        self._last_bytes = 0

    def read(self, receive: Callable[[int], bytes], max_bytes: int = READ_BYTES) -> bytes:
        """Call `receive` with the maximum number of bytes, and return its result. Raises `ResponseTooLarge`."""
        if self._remaining_bytes <= 0:
            raise ResponseTooLarge
        # A green thread does not yield while data has arrived already, and only when it yields can time limits expire.
        # The pause leaves time to others: while the event loop is never idle, native threads wait for the interpreter.
        time.sleep(self._last_bytes / self._bytes_per_second)
        data = receive(min(max_bytes, READ_BYTES, self._remaining_bytes))
        self._last_bytes = len(data)
        self._remaining_bytes -= len(data)
        return data
