"""One request over a connection, and its response."""

import socket
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING
from urllib.parse import SplitResult

from chatapp.http_client.target import RequestFailed
from chatapp.limits.response_budget import ResponseBudget

if TYPE_CHECKING:
    import h11

MAX_INFORMATIONAL_RESPONSES = 10
"""Maximum number of informational responses (status 1xx) before the response."""

MAX_EVENT_BYTES = 16_384
"""Maximum size of a head, or of the head of a chunk."""


class Exchange:
    """A request and its response. The response is read until `deadline`, in monotonic time, whatever arrives."""

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        import h11  # The first request imports it, not the start.

        self._h11 = h11
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_EVENT_BYTES)
        self._connection = connection
        self._deadline = deadline

    def send(self, method: str, parts: SplitResult, headers: Mapping[str, str], body: bytes = b"") -> None:
        """Send the request."""
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        length = {"Content-Length": str(len(body))} if body else {}
        sent = {"Host": parts.netloc, **length, "Connection": "close", **headers}
        request = self._h11.Request(method=method, target=target, headers=[*sent.items()])
        events = request, *([self._h11.Data(body)] if body else []), self._h11.EndOfMessage()
        self._connection.sendall(b"".join(self._http.send(event) or b"" for event in events))

    def read_head(self, budget: ResponseBudget) -> "h11.Response":
        """Return the response without its body."""
        informational_responses = 0
        while not isinstance(event := self._next_event(budget), self._h11.Response):
            if isinstance(event, self._h11.InformationalResponse):
                informational_responses += 1
                if informational_responses > MAX_INFORMATIONAL_RESPONSES:
                    raise RequestFailed("too many informational responses")
        return event

    def read_body(self, budget: ResponseBudget) -> Iterator[bytes]:
        """Yield the parts of the body as they arrive, after `read_head`."""
        while not isinstance(event := self._next_event(budget), self._h11.EndOfMessage):
            if isinstance(event, self._h11.Data):
                yield bytes(event.data)

    def _next_event(self, budget: ResponseBudget) -> object:
        try:
            while (event := self._http.next_event()) is self._h11.NEED_DATA:
                self._http.receive_data(budget.read(self._receive))
        except self._h11.RemoteProtocolError as error:
            raise RequestFailed("the response is not valid HTTP") from error
        return event

    def _receive(self, max_bytes: int) -> bytes:
        # The time-out of a socket limits each read: one byte before each expiry would hold the reader forever.
        self._connection.settimeout(max(self._deadline - time.monotonic(), 0.001))
        return self._connection.recv(max_bytes)
