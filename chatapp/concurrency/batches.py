"""Batches: callers that come at the same time share one call."""

import threading
import time
from collections.abc import Callable, Collection, Mapping
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


SPARE_ITERATIONS = 3
"""Iterations of the event loop in which nobody joined a batch, before its call begins."""


class _Batch(Generic[K, V]):
    """The keys of some callers, and what was found for them."""

    def __init__(self) -> None:
        self.keys: set[K] = set()
        self.found: Mapping[K, V] = {}
        self.error: Exception | None = None
        self.is_interrupted = True
        """Whether the thread that made the call was ended, or interrupted, before the call had returned."""
        self.is_done = threading.Event()


class Batcher(Generic[K, V]):
    """Finds values by key. Keys that are asked for at the same time, at most `max_keys`, are found by one call.

    What a caller gets was found after its call began.
    """

    def __init__(self, find: Callable[[Collection[K]], Mapping[K, V]], *, max_keys: int) -> None:
        self._find = find
        self._max_keys = max_keys
        self._lock = threading.Lock()
        self._next: _Batch[K, V] | None = None
        """The batch that further callers join."""

    def get(self, key: K) -> V | None:
        """Return the value of a key; None if there is none. Raises what the call raised.

        The first caller's thread makes the call. If that thread is interrupted, the others share another call.
        """
        batch = self._find_with_others(key)
        while batch.is_interrupted:
            batch = self._find_with_others(key)
        if batch.error is not None:
            raise batch.error
        return batch.found.get(key)

    def _find_with_others(self, key: K) -> _Batch[K, V]:
        with self._lock:
            is_first = self._next is None
            batch = self._next = self._next or _Batch()
            batch.keys.add(key)
            if len(batch.keys) >= self._max_keys:
                self._next = None
        if is_first:
            self._run(batch)
        else:
            batch.is_done.wait()
        return batch

    def _run(self, batch: _Batch[K, V]) -> None:
        try:
            self._wait_for_others(batch)
            self._close(batch)
            batch.found = self._find(batch.keys)
            batch.is_interrupted = False
        except Exception as error:
            batch.error = error
            batch.is_interrupted = False
        finally:
            self._close(batch)
            batch.is_done.set()

    def _wait_for_others(self, batch: _Batch[K, V]) -> None:
        """Let other green threads run until none of them joins."""
        count = 0
        while self._next is batch and count < len(batch.keys):
            count = len(batch.keys)
            for _ in range(SPARE_ITERATIONS):
                time.sleep(0)

    def _close(self, batch: _Batch[K, V]) -> None:
        """Let no further callers join a batch."""
        with self._lock:
            if self._next is batch:
                self._next = None
