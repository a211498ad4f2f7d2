"""The background work of a store with a bucket: when it moves files, and what it logs and reports."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from chatapp.files.moving import BucketWork


class FakeStore:
    """A store whose bucket has the problem that a check finds, and whose files are moved or not."""

    def __init__(self) -> None:
        self.bucket = SimpleNamespace(problem=None, check=self._check)
        self.found: str | None = None
        self.error: OSError | None = None
        self.moves = 0

    def move_files(self) -> None:
        self.moves += 1
        if self.error is not None:
            raise self.error

    def _check(self) -> None:
        self.bucket.problem = self.found


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
def work(store: FakeStore) -> BucketWork:
    def run(function: Callable[[], object]) -> object:
        return function()

    fakes: Any = (store, SimpleNamespace(run=run))
    return BucketWork(*fakes)


def test_an_outage_is_logged_once_and_reported_until_it_has_ended(store: FakeStore, work: BucketWork) -> None:
    with capture_logs() as logs:
        for store.found in (None, "away", "away", None, None):
            work.check()
            assert work.find_problem() == store.found
    assert [(entry["log_level"], entry.get("reason")) for entry in logs] == [("warning", "away"), ("info", None)]


def test_nothing_is_moved_while_the_bucket_is_away(store: FakeStore, work: BucketWork) -> None:
    store.found = "away"
    work.check()
    work.move()
    assert store.moves == 0
    store.found = None
    work.check()
    work.move()
    assert store.moves == 1


def test_files_that_cannot_be_moved_are_logged_once_and_reported_without_details(
    store: FakeStore, work: BucketWork
) -> None:
    store.error = OSError("PUT https://s3.example.org/files: 507")
    with capture_logs() as logs:
        work.move()
        work.move()
    assert [entry["reason"] for entry in logs] == [str(store.error)]
    assert work.find_problem() == "Files cannot be moved to the bucket."
    store.error = None
    work.move()
    assert work.find_problem() is None
