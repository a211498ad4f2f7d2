"""A cache of bounded size, for values whose keys identify all that they depend on: no entry is ever out of date."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class SizedCache(Generic[K, V]):
    """Values by their keys, of bounded size. The one that was used least recently is evicted first.

    `size_of` returns the size of an entry, in the unit of `max_size`. Threads may share a cache.
    """

    def __init__(self, max_size: int, size_of: Callable[[K, V], int]) -> None:
        self._max_size = max_size
        self._size_of = size_of
        self._entries: OrderedDict[K, V] = OrderedDict()
        self.size = 0
        """The sum of the sizes of the entries."""
        self.hits = self.misses = 0

    def get(self, key: K) -> V | None:
        """Return the value of a key, if the cache has it."""
        value = self._entries.get(key)
        if value is None:
            self.misses += 1
            return None
        self.hits += 1
        try:  # noqa: SIM105 - `suppress` takes longer than the rest
            self._entries.move_to_end(key)
        except KeyError:
            pass  # Another thread has just evicted it.
        return value

    def add(self, key: K, value: V) -> None:
        """Add a value, and evict others if the cache is full."""
        if self._entries.setdefault(key, value) is not value:
            return  # Another thread was faster.
        self.size += self._size_of(key, value)
        while self.size > self._max_size and self._entries:
            self.size -= self._size_of(*self._entries.popitem(last=False))
