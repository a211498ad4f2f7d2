"""Native threads: each kind of work has its own, and a limit of what waits for them."""

import os
import sys
import threading
import warnings
from collections.abc import Iterator

import pytest

from chatapp.concurrency import native
from chatapp.concurrency.native import BACKGROUND_NICENESS, Interrupted, Interruption, NativePool, time_limit
from chatapp.errors import Busy

with warnings.catch_warnings():
    # Eventlet warns when it is imported.
    warnings.simplefilter("ignore")
    import eventlet


class Blocker:
    """Work that occupies a native thread until it is released."""

    def __init__(self) -> None:
        self.started = threading.Semaphore(0)
        self.may_end = threading.Event()

    def __call__(self) -> str:
        self.started.release()
        assert self.may_end.wait(30)
        return "released"


@pytest.fixture(params=["green", "native"])
def is_green(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[bool]:
    """Each test runs with callers on green and on native threads."""
    green = request.param == "green"
    monkeypatch.setattr(native, "is_green", lambda: green)
    yield green
    if green:
        eventlet.sleep(0)


class Caller:
    """A call that waits for its result on a thread of its own."""

    def __init__(self, pool: NativePool, work: Blocker, *, is_green: bool) -> None:
        self.result: str | None = None

        def call() -> None:
            self.result = pool.run(work)

        if is_green:
            self.join = eventlet.spawn(call).wait
            eventlet.sleep(0)
        else:
            thread = threading.Thread(target=call)
            thread.start()
            self.join = thread.join


@pytest.mark.usefixtures("is_green")
def test_the_caller_gets_the_result_or_the_exception() -> None:
    pool = NativePool("any", threads=1)
    assert pool.run(divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        pool.run(divmod, 1, 0)
    assert pool.calls == 0


def test_a_pool_that_is_occupied_does_not_delay_another(is_green: bool) -> None:
    work = Blocker()
    occupied, writer = NativePool("searches", threads=1), NativePool("writer", threads=1)
    callers = [Caller(occupied, work, is_green=is_green) for _ in range(5)]
    assert work.started.acquire(timeout=30)
    assert writer.run(str.upper, "stored") == "STORED"
    assert not work.may_end.is_set()
    work.may_end.set()
    for caller in callers:
        caller.join()
        assert caller.result == "released"


def test_calls_past_the_limit_of_the_queue_are_refused(is_green: bool) -> None:
    work = Blocker()
    pool = NativePool("passwords", threads=2, max_queued=1)
    callers = [Caller(pool, work, is_green=is_green) for _ in range(3)]
    for _ in range(2):
        assert work.started.acquire(timeout=30)
    while pool.calls < 3:
        threading.Event().wait(0.01)
    with pytest.raises(Busy):
        pool.run(str.upper, "refused")
    work.may_end.set()
    for caller in callers:
        caller.join()
    assert pool.run(str.upper, "accepted") == "ACCEPTED"


def test_at_most_the_given_number_of_calls_run_at_the_same_time(is_green: bool) -> None:
    work = Blocker()
    pool = NativePool("reads", threads=2)
    callers = [Caller(pool, work, is_green=is_green) for _ in range(4)]
    for _ in range(2):
        assert work.started.acquire(timeout=30)
    assert not work.started.acquire(timeout=0.1)
    work.may_end.set()
    for caller in callers:
        caller.join()
    assert pool.calls == 0


def test_only_the_threads_of_a_background_pool_leave_the_processor_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "is_green", lambda: True)
    own = os.nice(0)
    in_background = own + BACKGROUND_NICENESS if sys.platform == "linux" else own
    assert NativePool("storing", threads=1, is_background=True).run(os.nice, 0) == in_background
    assert NativePool("files", threads=1).run(os.nice, 0) == own
    assert os.nice(0) == own


def test_an_interruption_ends_what_a_green_thread_waits_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "is_green", lambda: True)
    interruption = Interruption()

    def wait() -> None:
        with interruption.ends(), time_limit(30):
            eventlet.sleep(30)

    waiting = eventlet.spawn(wait)
    eventlet.sleep(0)
    interruption.set()
    with pytest.raises(Interrupted):
        waiting.wait()


def test_an_interruption_does_not_reach_what_follows_its_body(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "is_green", lambda: True)
    interruption = Interruption()
    with interruption.ends():
        interruption.set()
    eventlet.sleep(0)
    with pytest.raises(Interrupted), interruption.ends():
        raise AssertionError
