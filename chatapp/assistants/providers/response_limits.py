"""Limits of the responses of model servers: a hostile server must not fill the memory or block the process."""

import time
from collections.abc import Iterator

import httpx2

MAX_EVENT_BYTES = 256 * 1024
"""Maximum size of one event of the stream, which the library buffers until it is complete."""

MAX_RESPONSE_BYTES = 32 * 1024 * 1024
"""Maximum size of a response: many times that of the longest answer that comes in events of one character."""

_SEPARATORS = (b"\n\n", b"\r\r", b"\r\n\r\n")


class ResponseTooLarge(Exception):
    """A response, or one event of it, is larger than any answer."""


class LimitedStream(httpx2.SyncByteStream):
    """The body of a response. Raises `ResponseTooLarge` when it exceeds a limit."""

    def __init__(self, stream: httpx2.SyncByteStream) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        """Yield the body in pieces."""
        received = event_bytes = 0
        tail = b""
        for piece in self._stream:
            # A server may send without a pause, so that reading never waits. Other green threads run in between.
            time.sleep(0)
            received += len(piece)
            window = tail + piece
            end = max(window.rfind(separator) for separator in _SEPARATORS)
            event_bytes = event_bytes + len(piece) if end < 0 else len(window) - end
            tail = window[-3:]
            if event_bytes > MAX_EVENT_BYTES or received > MAX_RESPONSE_BYTES:
                raise ResponseTooLarge
            yield piece

    def close(self) -> None:
        """Close the response."""
        self._stream.close()


def limit_response(response: httpx2.Response) -> None:
    """Limit the body of a response that has not been read yet. Raises `ResponseTooLarge` for a compressed one."""
    # A small compressed body can become a huge one. Requests ask for an uncompressed one.
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise ResponseTooLarge
    assert isinstance(response.stream, httpx2.SyncByteStream)  # noqa: S101 - the client is synchronous
    response.stream = LimitedStream(response.stream)
