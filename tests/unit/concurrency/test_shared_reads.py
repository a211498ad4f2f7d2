"""One read for all that want the same values at the same time."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event

import pytest
from greenlet import GreenletExit

from chatapp.concurrency.shared_reads import SharedReads
from tests.harness.waiting import scaled

PRIVATE = 2
"""A key whose value each caller must read."""


class Readers:
    """Two callers: the first one's read of 1 and 2 ends when the second one has read 3 and waits."""

    def __init__(self, *, error: BaseException | None = None, may_share_all: bool = True) -> None:
        self.loads: list[Sequence[int]] = []
        self._error = error
        self._has_begun, self._may_end = Event(), Event()
        self._reads = SharedReads[int, str](lambda value: may_share_all or value != f"first {PRIVATE}")

    def run(self) -> tuple[Future[dict[int, str]], dict[int, str]]:
        with ThreadPoolExecutor() as threads:
            first = threads.submit(self._reads.fetch, [1, 2], self._load_first)
            assert self._has_begun.wait(scaled(10))
            second = threads.submit(self._reads.fetch, [2, 3], self._load_second)
            return first, second.result(scaled(10))

    def _load_first(self, keys: Sequence[int]) -> dict[int, str]:
        self.loads.append(keys)
        self._has_begun.set()
        assert self._may_end.wait(scaled(10))
        if self._error is not None:
            raise self._error
        return {key: f"first {key}" for key in keys}

    def _load_second(self, keys: Sequence[int]) -> dict[int, str]:
        self.loads.append(keys)
        self._may_end.set()
        return {key: f"second {key}" for key in keys}


def test_what_another_caller_is_reading_is_not_read_again() -> None:
    readers = Readers()
    first, second = readers.run()
    assert first.result() == {1: "first 1", 2: "first 2"}
    assert second == {2: "first 2", 3: "second 3"}
    assert readers.loads == [[1, 2], [3]]


@pytest.mark.parametrize("error", [LookupError(), GreenletExit()], ids=["failed", "killed"])
def test_callers_read_for_themselves_what_another_one_failed_to_read(error: BaseException) -> None:
    readers = Readers(error=error)
    first, second = readers.run()
    with pytest.raises(type(error)):
        first.result()
    assert second == {2: "second 2", 3: "second 3"}
    assert readers.loads == [[1, 2], [3], [2]]


def test_values_that_may_not_be_shared_are_read_by_each_caller() -> None:
    readers = Readers(may_share_all=False)
    first, second = readers.run()
    assert first.result() == {1: "first 1", 2: "first 2"}
    assert second == {2: "second 2", 3: "second 3"}


def test_a_later_caller_reads_again() -> None:
    reads = SharedReads[int, str](lambda _value: True)
    assert reads.fetch([1], lambda _keys: {1: "old"}) == {1: "old"}
    assert reads.fetch([1], lambda _keys: {1: "new"}) == {1: "new"}
