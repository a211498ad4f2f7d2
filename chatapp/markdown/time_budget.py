"""A limit of the processor time that work on one text may take in the server's process."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TypeVar

from chatapp.concurrency.cooperation import checkpoint, is_slice_over

T = TypeVar("T")


class BudgetExceeded(Exception):
    """The work takes longer than its budget."""


class TimeBudget:
    """Processor time, which passes in `with` blocks.

    It cannot interrupt a single call, such as one match of a regular expression: call `check` between short steps.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.thread_time) -> None:
        self._left = seconds
        self._clock = clock
        self._deadline = 0.0
        self.is_exceeded = False
        """Whether `check` has raised."""

    def __enter__(self) -> None:
        """Let the time pass until the block ends."""
        self._deadline = self._clock() + self._left

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _tb: TracebackType | None
    ) -> None:
        self._left = self._deadline - self._clock()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Let no time pass within the block, for work that has a budget of its own."""
        self.__exit__(None, None, None)
        try:
            yield
        finally:
            self.__enter__()

    def check(self) -> None:
        """Raise `BudgetExceeded` if no time is left. Let others run if the slice of `in_slices` is over."""
        if is_slice_over():
            with self.paused():
                checkpoint()
        if self._clock() > self._deadline:
            self.is_exceeded = True
            raise BudgetExceeded

    def limit(self, items: Iterable[T]) -> Iterator[T]:
        """Yield the items, and check before each."""
        for item in items:
            self.check()
            yield item
