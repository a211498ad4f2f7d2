"""Limits of what is read from servers that chatapp connects to: they may send anything, and without a pause."""

import time
from collections.abc import Callable

MAX_HEAD_BYTES = 16_384
"""Maximum size of the head of a response, including informational responses (status 1xx) before it."""

READ_BYTES = 8_192
"""Maximum size of one read. Parsing this much takes a few milliseconds, whatever it is."""


class ResponseTooLarge(Exception):
    """A response, or a part of it, is larger than allowed."""


class ResponseBudget:
    """The number of bytes that may still be read of a response, or of its head.

    It counts what arrives, not what a parser makes of it: parsers consume informational responses, extensions of
    chunks and trailers without returning to their caller.
    """

    def __init__(self, max_bytes: int) -> None:
        self._remaining_bytes = max_bytes

    def read(self, receive: Callable[[int], bytes], max_bytes: int = READ_BYTES) -> bytes:
        """Call `receive` with the maximum number of bytes, and return its result. Raises `ResponseTooLarge`."""
        if self._remaining_bytes <= 0:
            raise ResponseTooLarge
        # A green thread does not yield while data has arrived already, and only when it yields can time limits expire.
        time.sleep(0)
        data = receive(min(max_bytes, READ_BYTES, self._remaining_bytes))
        self._remaining_bytes -= len(data)
        return data
