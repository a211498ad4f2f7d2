"""One export at a time for each person."""

import pytest

from chatapp.concurrency.worker_processes import WorkerPool
from chatapp.errors import RateLimited
from chatapp.transcripts.exports import STALLED_SECONDS, Exports
from tests.harness.clock import Clock

ANA, BOB = 1, 2


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def exports(clock: Clock) -> Exports:
    return Exports(WorkerPool("pdf", processes=1, max_queued=0, memory_mb=128, timeout_seconds=1), clock.monotonic)


def test_a_second_export_of_a_person_waits_for_the_first(exports: Exports):
    with exports.open_slot(ANA):
        with pytest.raises(RateLimited):
            exports.open_slot(ANA)
        exports.open_slot(BOB).close()
    exports.open_slot(ANA).close()


def test_a_streamed_export_is_over_when_its_last_piece_was_read(exports: Exports):
    stream = exports.open_slot(ANA).stream(["one", "two"])
    assert next(stream) == "one"
    with pytest.raises(RateLimited):
        exports.open_slot(ANA)
    assert list(stream) == ["two"]
    exports.open_slot(ANA)


def test_an_export_whose_client_stopped_reading_does_not_block_the_person(exports: Exports, clock: Clock):
    stalled = exports.open_slot(ANA)
    stream = stalled.stream(["one", "two"])
    next(stream)
    clock.now += STALLED_SECONDS
    with exports.open_slot(ANA):
        stalled.close()  # It does not close the slot of the new export.
        with pytest.raises(RateLimited):
            exports.open_slot(ANA)


def test_an_export_that_computes_is_never_stalled(exports: Exports, clock: Clock):
    with exports.open_slot(ANA):
        clock.now += 100 * STALLED_SECONDS
        with pytest.raises(RateLimited):
            exports.open_slot(ANA)
