"""Which sockets the event loop serves first: those of chat before HTTP connections.

In each iteration the event loop serves all sockets that have data. Green threads that store and deliver messages wait
meanwhile: a client that opens or closes hundreds of connections at once would stop them for 50 ms.
"""

from collections.abc import Sequence

SERVED_AT_ONCE = 8
"""HTTP connections that are served in one iteration of the event loop."""


class ChatFirst:
    """Selects all sockets of chat that are ready, and some of the HTTP connections, in turn.

    The event loop must ask for readiness by level: what is not selected is ready in its next iteration, too.
    """

    def __init__(self) -> None:
        self._http: set[int] = set()
        self._turn = 0

    def add(self, fd: int) -> None:
        """Serve a descriptor after others from now on."""
        self._http.add(fd)

    def discard(self, fd: int) -> None:
        """Serve a descriptor at once from now on. Call it at the latest when the descriptor has been closed."""
        self._http.discard(fd)

    def select(self, ready: Sequence[tuple[int, int]]) -> Sequence[tuple[int, int]]:
        """Return the descriptors to serve, of those that are ready, with their events."""
        if len(ready) <= SERVED_AT_ONCE:
            return ready
        http = [each for each in ready if each[0] in self._http]
        if len(http) <= SERVED_AT_ONCE:
            return ready
        # The system returns descriptors that stay ready in the same order again.
        self._turn = (self._turn + SERVED_AT_ONCE) % len(http)
        served = [*http[self._turn :], *http[: self._turn]][:SERVED_AT_ONCE]
        return [*(each for each in ready if each[0] not in self._http), *served]
