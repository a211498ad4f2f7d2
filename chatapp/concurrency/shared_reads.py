"""Request coalescing: callers that want the same values at the same time share one read of them."""

from collections.abc import Callable, Mapping, Sequence
from threading import Event
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

MAX_WAIT_SECONDS = 1.0
"""How long a caller waits for another one's read. Its connection to the database may hang."""


class _Read(Generic[K, V]):
    def __init__(self) -> None:
        self.is_done = Event()
        self.shared: Mapping[K, V] = {}


class SharedReads(Generic[K, V]):
    """Reads in progress, by the keys of their values. A key must identify all that its value depends on.

    A value for which `may_share` is false is returned only to the caller that read it.
    """

    def __init__(self, may_share: Callable[[V], bool]) -> None:
        self._may_share = may_share
        self._running: dict[K, _Read[K, V]] = {}

    def fetch(self, keys: Sequence[K], load: Callable[[Sequence[K]], Mapping[K, V]]) -> dict[K, V]:
        """Return the values of keys. Calls `load` only with those that no other caller shares."""
        others = {key: read for key in keys if (read := self._running.get(key)) is not None}
        own = [key for key in keys if key not in others]
        # Before waiting, so that no two callers wait for each other.
        values = self._load(own, load) if own else {}
        for key, read in others.items():
            if read.is_done.wait(MAX_WAIT_SECONDS) and key in read.shared:
                values[key] = read.shared[key]
        missing = [key for key in others if key not in values]
        return values | dict(load(missing)) if missing else values

    def _load(self, keys: Sequence[K], load: Callable[[Sequence[K]], Mapping[K, V]]) -> dict[K, V]:
        read = _Read[K, V]()
        self._running.update(dict.fromkeys(keys, read))
        try:
            values = dict(load(keys))
            read.shared = {key: value for key, value in values.items() if self._may_share(value)}
            return values
        finally:
            for key in keys:
                self._running.pop(key, None)  # Native threads may have begun to read the same at once.
            read.is_done.set()
