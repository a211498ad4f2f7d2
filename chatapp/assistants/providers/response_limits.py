"""Limits of the responses of model servers: a hostile server must not fill the memory or block the process."""

import ssl
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpcore2
import httpx2
from openai import Stream

from chatapp.limits.json_depth import check_json_depth, remove_strings
from chatapp.limits.response_budget import (
    MAX_BYTES_PER_SECOND,
    MAX_HEAD_BYTES,
    ResponseBudget,
    ResponseTooLarge,
)


@dataclass(frozen=True, slots=True)
class ResponseLimits:
    """The limits of a response."""

    event_bytes: int
    """Maximum size of one event of the stream, which the library buffers until it is complete."""
    body_bytes: int
    bytes_per_second: float
    """Rate at which the body is read."""


TEXT_LIMITS = ResponseLimits(event_bytes=256 * 1024, body_bytes=32 * 1024 * 1024, bytes_per_second=MAX_BYTES_PER_SECOND)
"""A response may be many times as large as the longest answer that comes in events of one character."""

IMAGE_LIMITS = ResponseLimits(
    event_bytes=16 * 1024 * 1024, body_bytes=64 * 1024 * 1024, bytes_per_second=4 * MAX_BYTES_PER_SECOND
)
"""An event has a whole image, as Base64. The largest one is read in 8 seconds, which count in the provider's `timeout`.

Checking and parsing it takes about a tenth of a second, and some tenths if it has as many values as allowed."""

MAX_MARKS = 300_000
"""Maximum number of quotation marks and backslashes in an event that is larger than those of text.

Some servers escape each slash: that is one of 64 characters of Base64."""

MAX_LINES = 5_000
"""Maximum number of lines of an event. The library keeps each one until the event is complete: short lines take many
times as much memory as there are bytes."""

SECONDS_PER_PIECE = 0.00025
"""Pause for each piece of a body. One read may bring thousands of pieces of one byte, and each takes time."""

_SEPARATORS = (b"\n\n", b"\r\r", b"\r\n\r\n")
_LINE_ENDS = (b"\n", b"\r")


class LimitedConnection(httpcore2.NetworkStream):
    """A connection to a model server. Reading raises `ResponseTooLarge` when a response exceeds its limits."""

    def __init__(self, stream: httpcore2.NetworkStream, limits: ResponseLimits) -> None:
        self._stream = stream
        self._limits = limits
        self._budget = ResponseBudget(MAX_HEAD_BYTES)

    def allow_body(self) -> None:
        """Allow a whole response to be read, after its head was."""
        self._budget = ResponseBudget(self._limits.body_bytes, self._limits.bytes_per_second)

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read a small part of the response, after other green threads have run."""
        return self._budget.read(partial(self._stream.read, timeout=timeout), max_bytes)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write a part of a request. The next thing to be read is the head of its response."""
        self._budget = ResponseBudget(MAX_HEAD_BYTES)
        self._stream.write(buffer, timeout)

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        """Return the encrypted connection, with the same limits."""
        return LimitedConnection(self._stream.start_tls(ssl_context, server_hostname, timeout), self._limits)

    def get_extra_info(self, info: str) -> Any:
        """Return information about the connection."""
        return self._stream.get_extra_info(info)


class LimitedBackend(httpcore2.NetworkBackend):
    """Opens connections with limits."""

    def __init__(self, backend: httpcore2.NetworkBackend, limits: ResponseLimits) -> None:
        self._backend = backend
        self._limits = limits

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        """Open a connection."""
        stream = self._backend.connect_tcp(host, port, timeout, local_address, socket_options)
        return LimitedConnection(stream, self._limits)


class LimitedStream(Stream[object]):
    """The events of a response, whose JSON is checked before the library parses it, which holds up everybody."""

    # The library has no public way to do something between the event and its JSON.
    def _iter_events(self) -> Iterator[Any]:
        for event in super()._iter_events():
            check_event(event.data)
            yield event


def check_event(data: str) -> None:
    """Raise `ResponseTooLarge` if an event is large because of something else than long strings.

    Raises `ValueError` if it is nested too deeply.
    """
    if len(data) > TEXT_LIMITS.event_bytes and (
        data.count('"') + data.count("\\") > MAX_MARKS or len(remove_strings(data)) > TEXT_LIMITS.event_bytes
    ):
        raise ResponseTooLarge
    check_json_depth(data)


class LimitedBody(httpx2.SyncByteStream):
    """The body of a response. Raises `ResponseTooLarge` when an event of it has too many bytes or lines."""

    def __init__(self, stream: httpx2.SyncByteStream, max_event_bytes: int) -> None:
        self._stream = stream
        self._max_event_bytes = max_event_bytes

    def __iter__(self) -> Iterator[bytes]:
        """Yield the body in pieces."""
        event_bytes = event_lines = 0
        tail = b""
        pause = 0.0
        for piece in self._stream:
            # Short pauses are added up: the event loop's timers are not that exact.
            pause += SECONDS_PER_PIECE
            if pause > 0.005:
                time.sleep(pause)
                pause = 0.0
            window = tail + piece
            end = max(window.rfind(separator) for separator in _SEPARATORS)
            if end < 0:
                event_bytes, event_lines = event_bytes + len(piece), event_lines + _count_lines(piece)
            else:
                event_bytes, event_lines = len(window) - end, _count_lines(window[end:])
            tail = window[-3:]
            if event_bytes > self._max_event_bytes or event_lines > MAX_LINES:
                raise ResponseTooLarge
            yield piece

    def close(self) -> None:
        """Close the response."""
        self._stream.close()


def _count_lines(text: bytes) -> int:
    """Return the number of line ends. Those that are two characters count twice."""
    return sum(map(text.count, _LINE_ENDS))


def limit_responses(client: httpx2.Client, limits: ResponseLimits) -> None:
    """Limit all responses that a client receives. Reading one that exceeds a limit raises `ResponseTooLarge`."""
    client.event_hooks["response"].append(partial(_limit_body, max_event_bytes=limits.event_bytes))
    # The libraries have no public way to set the backend and to keep the proxies of the environment.
    for transport in (client._transport, *client._mounts.values()):  # noqa: SLF001
        if isinstance(transport, httpx2.HTTPTransport):
            pool = transport._pool  # noqa: SLF001
            pool._network_backend = LimitedBackend(pool._network_backend, limits)  # noqa: SLF001


def _limit_body(response: httpx2.Response, max_event_bytes: int) -> None:
    """Limit the body of a response that has not been read yet. Raises `ResponseTooLarge` for a compressed one."""
    # A small compressed body can become a huge one. Requests ask for an uncompressed one.
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise ResponseTooLarge
    connection = response.extensions["network_stream"]
    if isinstance(connection, LimitedConnection):  # Not after a change of the protocol (status 101).
        connection.allow_body()
    assert isinstance(response.stream, httpx2.SyncByteStream)  # noqa: S101 - the client is synchronous
    response.stream = LimitedBody(response.stream, max_event_bytes)
