"""Work that each of its owners may do only once at a time."""

import threading
from collections.abc import Callable

import pytest

from chatapp.concurrency.one_at_a_time import OneAtATime, SupersededError
from tests.harness.waiting import eventually


class Work:
    """A call on a thread of its own, which runs until `end` is set."""

    def __init__(self, calls: OneAtATime, owner: str) -> None:
        self.end = threading.Event()
        self.state = "waits"
        self.thread = threading.Thread(target=self._run, args=(calls, owner))
        self.thread.start()

    def _run(self, calls: OneAtATime, owner: str) -> None:
        try:
            with calls.run(owner):
                self.state = "runs"
                self.end.wait()
            self.state = "done"
        except SupersededError:
            self.state = "superseded"

    def finish(self) -> str:
        self.end.set()
        self.thread.join()
        return self.state


@pytest.fixture
def calls() -> OneAtATime:
    return OneAtATime(max_waiting=2)


def has_waiting(calls: OneAtATime, number: int) -> Callable[[], bool]:
    return lambda: len(calls._waiting["ana"]) == number


def test_a_call_waits_for_the_one_before_it(calls: OneAtATime) -> None:
    first = Work(calls, "ana")
    eventually(lambda: calls.is_running("ana"), "the first one runs")
    second, other = Work(calls, "ana"), Work(calls, "bob")
    eventually(lambda: other.state == "runs", "another owner does not wait")
    assert (first.state, second.state) == ("runs", "waits")
    assert first.finish() == "done"
    eventually(lambda: second.state == "runs", "the second one runs")
    assert (second.finish(), other.finish()) == ("done", "done")
    assert not calls.is_running("ana")


def test_the_newest_calls_supersede_those_that_wait_longest(calls: OneAtATime) -> None:
    works = []
    for number in (0, 1, 2):
        works.append(Work(calls, "ana"))
        eventually(lambda: calls.is_running("ana"), "a call runs")
        eventually(has_waiting(calls, number), "it waits")
    newest = Work(calls, "ana")
    eventually(lambda: works[1].state == "superseded", "the one that waits longest ends")
    works[1].thread.join()
    assert [each.finish() for each in (works[0], works[2], newest)] == ["done"] * 3
    assert not calls.is_running("ana")


def test_a_failure_passes_the_turn_on(calls: OneAtATime) -> None:
    with pytest.raises(ValueError, match="broken"), calls.run("ana"):
        raise ValueError("broken")
    assert not calls.is_running("ana")


def test_a_call_that_is_ended_while_it_waits_leaves_its_place(
    calls: OneAtATime, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Work(calls, "ana")
    eventually(lambda: calls.is_running("ana"), "the first one runs")

    def end(*_arguments: object) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Event, "wait", end)
    with pytest.raises(KeyboardInterrupt), calls.run("ana"):
        pass
    monkeypatch.undo()
    assert first.finish() == "done"
    assert not calls.is_running("ana")


def test_a_turn_that_comes_while_the_call_is_ended_is_passed_on(
    calls: OneAtATime, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Work(calls, "ana")
    eventually(lambda: first.state == "runs", "the first one runs")
    wait = threading.Event.wait

    def end(event: threading.Event, *_arguments: object) -> bool:
        monkeypatch.setattr(threading.Event, "wait", wait)
        first.finish()
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Event, "wait", end)
    with pytest.raises(KeyboardInterrupt), calls.run("ana"):
        pass
    assert not calls.is_running("ana")
