"""Limits how often one host is requested, however many messages link to it."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from chatapp.errors import Busy

MAX_REMEMBERED_HOSTS = 500


@dataclass(slots=True)
class _Host:
    lock: threading.Lock = field(default_factory=threading.Lock)
    calls: int = 0
    free_at: float = 0.0
    """When it may be requested again, in monotonic time."""


class HostTurns:
    """One request to a host at a time, and a pause after each. At most `max_calls` run or wait for a host."""

    def __init__(
        self,
        interval_seconds: float,
        *,
        max_calls: int,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._interval_seconds = interval_seconds
        self._max_calls = max_calls
        self._clock = clock
        self._sleep = sleep
        self._hosts: dict[str, _Host] = {}
        self._lock = threading.Lock()

    @contextmanager
    def take(self, name: str) -> Iterator[None]:
        """Wait for the turn, which lasts as long as the body. Raises `Busy` if too many wait for the host."""
        with self._lock:
            host = self._hosts.setdefault(name, _Host())
            if host.calls >= self._max_calls:
                raise Busy("Too many requests to this host.")
            host.calls += 1
        try:
            with host.lock:
                if (pause := host.free_at - self._clock()) > 0:
                    self._sleep(pause)
                try:
                    yield
                finally:
                    host.free_at = self._clock() + self._interval_seconds
        finally:
            with self._lock:
                host.calls -= 1
                if len(self._hosts) > MAX_REMEMBERED_HOSTS:
                    self._forget()

    def _forget(self) -> None:
        now = self._clock()
        self._hosts = {name: host for name, host in self._hosts.items() if host.calls or host.free_at > now}
