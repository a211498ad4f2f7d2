"""The listening socket of the HTTP server."""

import time
from typing import Any


class FairListener:
    """A green listening socket that lets others run before each new connection.

    eventlet accepts without a pause while connections wait, up to a thousand, and then reads the first request of each.
    """

    def __init__(self, listener: Any) -> None:
        self._listener = listener

    def accept(self) -> tuple[Any, Any]:
        """Return the next connection and its address."""
        time.sleep(0)
        connection, address = self._listener.accept()
        return connection, address

    def __getattr__(self, name: str) -> Any:
        """Return what the socket has besides."""
        return getattr(self._listener, name)
