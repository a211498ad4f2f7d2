"""The listening socket of the HTTP server."""

import mmap
import select
import time
from threading import Event
from typing import Any

from chatapp.concurrency.native import Interrupted, Interruption

NO_LOAD = -1
"""Load of a process that accepts no connections."""

MAX_EXCESS = 2
"""Connections that a process may have more than another without waiting for it."""

EXCESS_SECONDS = 0.005
"""Time for which a process with more connections leaves a new one to the others."""


class FairListener:
    """A green listening socket that lets others run before each new connection.

    eventlet accepts without a pause while connections wait, up to a thousand, and then reads the first request of each.
    """

    def __init__(self, listener: Any) -> None:
        listener.settimeout(0)  # It waits in `select`.
        self._listener = listener

    def accept_within(self, seconds: float | None) -> tuple[Any, Any] | None:
        """See `Listener`."""
        time.sleep(0)
        if (accepted := self._try_accept()) is None:
            select.select([self._listener], [], [], seconds)
        return accepted

    def _try_accept(self) -> tuple[Any, Any] | None:
        try:
            client, address = self._listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return None
        return client, address

    def wrap(self, client: Any) -> Any:
        """See `Listener`."""
        return type(self._listener)(client)

    def __getattr__(self, name: str) -> Any:
        """Return what the socket has besides."""
        return getattr(self._listener, name)


class Loads:
    """The numbers of connections of all processes that share a listening socket, in a file that they share."""

    def __init__(self, descriptor: int, slot: int) -> None:
        self._slots = memoryview(mmap.mmap(descriptor, 0)).cast("q")
        self._slot = slot

    def publish(self, connections: int) -> None:
        """Record the number of this process."""
        self._slots[self._slot] = connections

    def has_most(self) -> bool:
        """Return whether this process has clearly more connections than another one that accepts them."""
        others = [load for slot, load in enumerate(self._slots) if slot != self._slot and load != NO_LOAD]
        return bool(others) and self._slots[self._slot] > min(others) + MAX_EXCESS


class SharedListener(FairListener):
    """A listening socket that several processes accept from.

    The system wakes all of them for a new connection. It goes to one with few connections, unless that is busy.
    """

    def __init__(self, listener: Any, loads: Loads) -> None:
        super().__init__(listener)
        self._loads = loads
        self._closing = Interruption()

    def accept_within(self, seconds: float | None) -> tuple[Any, Any] | None:
        """See `Listener`. Never returns after `stop_accepting`."""
        try:
            with self._closing.ends():
                select.select([self._listener], [], [], seconds)
                time.sleep(EXCESS_SECONDS if self._loads.has_most() else 0)
        except Interrupted:
            self._loads.publish(NO_LOAD)
            self._listener.close()
            Event().wait()  # eventlet's server would close all connections if this returned.
        return self._try_accept()  # Another process may be faster.

    def stop_accepting(self) -> None:
        """Leave new connections to the other processes from now on."""
        self._closing.set()
