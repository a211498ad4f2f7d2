"""The protocol class of eventlet's HTTP server, with time-outs for clients that are silent or slow.

eventlet waits for ever for a request, its body, and a client that does not read the response. Here connections read and
write through a `TimedStream`. WebSockets use their sockets directly: pings detect those that are gone.
"""

import re
import socket
from collections.abc import Callable
from contextlib import suppress
from email.errors import FirstHeaderLineIsContinuationDefect, MissingHeaderBodySeparatorDefect
from functools import partial
from http import HTTPStatus
from io import BufferedIOBase, BufferedReader, BufferedWriter, BytesIO
from typing import IO, Any, Literal

import eventlet
import eventlet.wsgi

from chatapp.http_server.connections import HttpConnection, HttpConnections, encode_response
from chatapp.http_server.gate import CONNECTION_KEY
from chatapp.http_server.polling import ChatFirst
from chatapp.http_server.streams import TimedStream
from chatapp.socket_engine.connection import DETACH_SOCKET
from chatapp.web.security import MAX_REQUEST_BYTES

INVALID_HEADER = encode_response(
    HTTPStatus.BAD_REQUEST, "The header is malformed. Content-Length must be one number that consists of digits."
)

INCOMPLETE_HEADER = encode_response(HTTPStatus.BAD_REQUEST, "The header is incomplete: it ends with an empty line.")

INCOMPLETE_BODY = encode_response(HTTPStatus.BAD_REQUEST, "The body is incomplete: it is shorter than Content-Length.")

LATE_BODY = encode_response(HTTPStatus.REQUEST_TIMEOUT, "The body did not arrive in time. Try again.")

LENGTH_REQUIRED = encode_response(
    HTTPStatus.LENGTH_REQUIRED, "Send the body with Content-Length: Transfer-Encoding is not supported."
)

EARLY_BODY_BYTES = 64 * 1024
"""Beginning of a body that must have arrived before the application is called. Few bodies are longer."""

_LENGTH = re.compile(r"[0-9]{1,18}[ \t]*", re.ASCII)

_MALFORMED_LINE = (MissingHeaderBodySeparatorDefect, FirstHeaderLineIsContinuationDefect)


class _BodyFirst(eventlet.wsgi.HttpProtocol):  # type: ignore[misc]  # the library is not typed
    """Calls the application when the beginning of a body has arrived: a client that is gone does not cost a page."""

    def handle_one_response(self) -> None:
        """Wait for the body, and respond."""
        body = self.environ["eventlet.input"]
        length = body.content_length or 0
        size = min(length, EARLY_BODY_BYTES) if length <= MAX_REQUEST_BYTES else 0  # The application refuses long ones.
        try:
            beginning = body.read(size) if size else b""
        except TimeoutError:
            _end(self, LATE_BODY)
            return
        if len(beginning) < size:
            _end(self, INCOMPLETE_BODY)
            return
        if beginning:
            self.environ["wsgi.input"] = _ContinuedBody(beginning, body)
        super().handle_one_response()


class _ContinuedBody(BufferedIOBase):
    """A body whose beginning has been read."""

    def __init__(self, beginning: bytes, rest: IO[bytes]) -> None:
        self._beginning, self._rest = BytesIO(beginning), rest

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            return self._beginning.read() + self._rest.read()
        beginning = self._beginning.read(size)
        return beginning + self._rest.read(size - len(beginning))


def make_protocol(
    connections: HttpConnections, chat_first: ChatFirst, *, timeout_seconds: float, keep_alive_seconds: float
) -> type:
    """Return the protocol class of a server. eventlet takes a class, not an object."""
    quick_ack: int | None = getattr(socket, "TCP_QUICKACK", None)  # Linux has it.

    class Protocol(_BodyFirst):
        # A connection keeps both buffers while it is open: eventlet's 24 KB would double its memory.
        rbufsize = wbufsize = 2_048

        _connection: HttpConnection
        _fd: int
        _stream: TimedStream
        _is_first_request = True

        def __init__(self, conn_state: list[Any], server: Any) -> None:
            green_socket = conn_state[1]
            self._connection = connection = green_socket.http_connection
            self._fd = green_socket.fileno()
            chat_first.add(self._fd)
            try:
                super().__init__(conn_state, server)
            finally:
                if not connection.is_detached:
                    chat_first.discard(self._fd)
                    connection.close()

        def setup(self) -> None:
            # As in the library, but without its streams.
            self.connection = self.request
            if quick_ack is not None:
                with suppress(OSError):
                    self.connection.setsockopt(socket.IPPROTO_TCP, quick_ack, 1)
            self._stream = TimedStream(self.connection, timeout_seconds)
            self.rfile: Any = BufferedReader(self._stream, self.rbufsize)
            self.wfile = BufferedWriter(self._stream, self.wbufsize)

        def handle_one_request(self) -> None:
            self._connection.wait()
            self._stream.begin_request(timeout_seconds if self._is_first_request else keep_alive_seconds)
            self._is_first_request = False
            try:
                super().handle_one_request()
            finally:
                # It refers to this object: only a garbage collection would free both, and the connection's buffers.
                self.environ = None
            eventlet.sleep(0)  # A pipelined request has arrived already: reading it does not yield.

        def parse_request(self) -> bool:
            lines = _HeaderLines(self.rfile)
            self.rfile = lines  # The library restores the stream afterwards.
            is_valid = super().parse_request() and _has_valid_lines(self, lines) and _has_valid_length(self)
            self.close_connection |= connections.is_closing  # The response says so.
            return is_valid

        def get_environ(self) -> dict[str, Any]:
            self._stream.begin_body()
            environ: dict[str, Any] = super().get_environ()
            environ[CONNECTION_KEY] = self._connection
            environ[DETACH_SOCKET] = partial(_detach, self.connection, self._connection)
            if environ.get("HTTP_UPGRADE", "").lower() == "websocket":
                chat_first.discard(self._fd)
            body = environ["eventlet.input"]
            body.__class__, body.begin_discard = _DiscardedInput, self._stream.begin_discard
            return environ

    return Protocol


class _DiscardedInput(eventlet.wsgi.Input):  # type: ignore[misc]  # the library is not typed
    """A body, which the library creates. What the application has not read of it is read within a time."""

    begin_discard: Callable[[], None]

    def discard(self, buffer_size: int = 16 << 10) -> None:
        """Read the rest."""
        self.begin_discard()
        super().discard(buffer_size)


def _detach(green_socket: Any, connection: HttpConnection) -> tuple[Any, Callable[[], None]]:
    """Give up the socket of a request: see `DETACH_SOCKET`."""
    return _detach_socket(green_socket), connection.detach()


def _detach_socket(green_socket: Any) -> Any:
    """Return the system's socket of a green one, which does not block.

    What the server still does with the green one, such as closing it, has no effect.
    """
    inner = green_socket.fd
    family, kind, protocol = inner.family, inner.type, inner.proto
    detached = type(inner)(family, kind, protocol, fileno=inner.detach())
    detached.setblocking(False)
    return detached


class _HeaderLines:
    """The lines of a header, as the library reads them."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.has_bare_cr = False
        """Whether a line has a CR that does not belong to its end."""
        self.is_complete = False
        """Whether the last line is the empty one that ends a header."""

    def readline(self, size: int = -1) -> bytes:
        """Read a line."""
        line: bytes = self._stream.readline(size)
        self.is_complete = line in {b"\r\n", b"\n"}
        self.has_bare_cr |= b"\r" in line.removesuffix(b"\n").removesuffix(b"\r")
        return line


def _has_valid_lines(request: Any, lines: _HeaderLines) -> bool:
    """Return whether the header has ended, and each line of it where a proxy in front sees its end; else refuse it.

    The library also takes the end of the connection for that of the header: pages would be rendered for clients that
    are gone. And it takes a CR alone as the end of a line: what follows would be a header, such as `Content-Length`.
    """
    if not lines.is_complete:
        return _end(request, INCOMPLETE_HEADER)
    return not lines.has_bare_cr or _end(request, INVALID_HEADER)


def _has_valid_length(request: Any) -> bool:
    """Return whether the end of the request is known without doubt; otherwise refuse the request."""
    headers = request.headers
    lengths = headers.get_all("Content-Length", [])
    # `int` accepts `1_0`, `+10` and digits of other scripts, which a proxy in front may read in another way.
    is_number = len(lengths) <= 1 and all(_LENGTH.fullmatch(length) for length in lengths)
    # The library ignores all lines after a malformed one.
    if not is_number or any(isinstance(defect, _MALFORMED_LINE) for defect in headers.defects):
        return _end(request, INVALID_HEADER)
    # eventlet reads the line with a chunk's size without a limit. It refuses requests with both headers.
    if "Transfer-Encoding" in headers and not lengths:
        return _end(request, LENGTH_REQUIRED)
    return True


def _end(request: Any, response: bytes) -> Literal[False]:
    """Refuse a request, and close its connection: where the next request begins is not known."""
    request.wfile.write(response)
    request.close_connection = True
    return False
