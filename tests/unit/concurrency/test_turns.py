"""Work that each of its owners may do only once at a time."""

import threading
from collections.abc import Callable

import pytest

from chatapp.concurrency.turns import SupersededError, Turns
from tests.harness.waiting import eventually


class Work:
    """A call on a thread of its own, which runs until `end` is set."""

    def __init__(self, turns: Turns, owner: str) -> None:
        self.end = threading.Event()
        self.state = "waits"
        self.thread = threading.Thread(target=self._run, args=(turns, owner))
        self.thread.start()

    def _run(self, turns: Turns, owner: str) -> None:
        try:
            with turns.take(owner):
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
def turns() -> Turns:
    return Turns(max_waiting=2)


def has_waiting(turns: Turns, number: int) -> Callable[[], bool]:
    return lambda: len(turns._waiting["ana"]) == number


def test_a_call_waits_for_the_one_before_it(turns: Turns) -> None:
    first = Work(turns, "ana")
    eventually(lambda: turns.is_taken("ana"), "the first one runs")
    second, other = Work(turns, "ana"), Work(turns, "bob")
    eventually(lambda: other.state == "runs", "another owner does not wait")
    assert (first.state, second.state) == ("runs", "waits")
    assert first.finish() == "done"
    eventually(lambda: second.state == "runs", "the second one runs")
    assert (second.finish(), other.finish()) == ("done", "done")
    assert not turns.is_taken("ana")


def test_the_newest_calls_supersede_those_that_wait_longest(turns: Turns) -> None:
    works = []
    for number in (0, 1, 2):
        works.append(Work(turns, "ana"))
        eventually(lambda: turns.is_taken("ana"), "a call runs")
        eventually(has_waiting(turns, number), "it waits")
    newest = Work(turns, "ana")
    eventually(lambda: works[1].state == "superseded", "the one that waits longest ends")
    works[1].thread.join()
    assert [each.finish() for each in (works[0], works[2], newest)] == ["done"] * 3
    assert not turns.is_taken("ana")


def test_a_failure_passes_the_turn_on(turns: Turns) -> None:
    with pytest.raises(ValueError, match="broken"), turns.take("ana"):
        raise ValueError("broken")
    assert not turns.is_taken("ana")


def test_a_call_that_is_ended_while_it_waits_leaves_its_place(turns: Turns, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Work(turns, "ana")
    eventually(lambda: turns.is_taken("ana"), "the first one runs")

    def end(*_arguments: object) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Event, "wait", end)
    with pytest.raises(KeyboardInterrupt), turns.take("ana"):
        pass
    monkeypatch.undo()
    assert first.finish() == "done"
    assert not turns.is_taken("ana")


def test_a_turn_that_comes_while_the_call_is_ended_is_passed_on(turns: Turns, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Work(turns, "ana")
    eventually(lambda: first.state == "runs", "the first one runs")
    wait = threading.Event.wait

    def end(event: threading.Event, *_arguments: object) -> bool:
        monkeypatch.setattr(threading.Event, "wait", wait)
        first.finish()
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Event, "wait", end)
    with pytest.raises(KeyboardInterrupt), turns.take("ana"):
        pass
    assert not turns.is_taken("ana")
