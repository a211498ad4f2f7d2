"""HTTP load: connections that stay open, each of which repeats one request when its response has arrived.

One process sends more than 10,000 requests a second, several times what the fastest server here can respond to.
"""

import select
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

CONNECTIONS = 8
TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Load:
    """Number of responses, and the time from the first request to the last response."""

    responses: int
    seconds: float


class Connection:
    """A connection with at most one request in progress."""

    def __init__(self, address: tuple[str, int], request: bytes) -> None:
        self._request = request
        self._head = b""
        self._rest: int | None = None
        """Bytes of the body that have not arrived; None until the header has."""
        self.socket = socket.create_connection(address, TIMEOUT_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self) -> None:
        """Send the request."""
        self.socket.sendall(self._request)

    def read(self, buffer: bytearray) -> bool:
        """Read what has arrived, and return whether the response is complete.

        Raises `ConnectionError` if it is an error, or the server closes the connection.
        """
        if not (size := self.socket.recv_into(buffer)):
            raise ConnectionError("the server has closed a connection")
        if self._rest is None:
            self._head += buffer[:size]
            head, separator, body = self._head.partition(b"\r\n\r\n")
            if not separator:
                return False
            self._rest, size = _parse_length(head), len(body)
        self._rest -= size
        if self._rest > 0:
            return False
        self._head, self._rest = b"", None
        return True


def repeat_request(url: str, headers: Mapping[str, str], seconds: float) -> Load:
    """Repeat a GET request over several connections for some seconds."""
    parts = urlsplit(url)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    lines = [f"GET {path} HTTP/1.1", f"Host: {parts.netloc}", *(f"{name}: {value}" for name, value in headers.items())]
    request = "\r\n".join([*lines, "", ""]).encode()
    assert parts.hostname is not None
    assert parts.port is not None
    address = parts.hostname, parts.port
    connections = {one.socket.fileno(): one for one in [Connection(address, request) for _ in range(CONNECTIONS)]}
    poll = select.epoll()
    buffer = bytearray(2**20)
    responses = 0
    start = last = time.monotonic()
    for number, connection in connections.items():
        poll.register(number, select.EPOLLIN)
        connection.send()
    waiting = len(connections)
    while waiting:
        if not (events := poll.poll(TIMEOUT_SECONDS)):
            raise TimeoutError(f"no response from {url}")
        for number, _ in events:
            if not connections[number].read(buffer):
                continue
            responses += 1
            last = time.monotonic()
            if last - start < seconds:
                connections[number].send()
            else:
                waiting -= 1
    for connection in connections.values():
        connection.socket.close()
    poll.close()
    return Load(responses, last - start)


def _parse_length(head: bytes) -> int:
    """Return the length of a body. Raises `ConnectionError` unless the status is 200."""
    status, *lines = head.lower().split(b"\r\n")
    lengths = [line.partition(b":")[2] for line in lines if line.startswith(b"content-length:")]
    if b" 200 " not in status or not lengths:
        raise ConnectionError(head.decode(errors="replace"))
    return int(lengths[0])
