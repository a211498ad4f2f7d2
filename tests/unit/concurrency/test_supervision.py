"""Supervised background work: failures are logged, counted and followed by the declared policy."""

import re
import threading
from collections.abc import Callable

import pytest
from greenlet import GreenletExit

from chatapp.concurrency.supervision import OnFailure, Supervisor, WorkStatus
from tests.harness import ROOT


def status(supervisor: Supervisor) -> WorkStatus:
    (only,) = supervisor.list_statuses()
    return only


class Flaky:
    """Work that raises a number of times, then waits until it is released."""

    def __init__(self, failures: int, error: type[BaseException] = ValueError) -> None:
        self.calls = 0
        self.is_running = threading.Event()
        self.release = threading.Event()
        self._failures = failures
        self._error = error

    def __call__(self) -> None:
        self.calls += 1
        if self.calls <= self._failures:
            raise self._error(f"failure {self.calls}")
        self.is_running.set()
        assert self.release.wait(10)


def test_work_is_reported_while_it_runs_and_when_it_has_finished() -> None:
    supervisor, work = Supervisor(), Flaky(failures=0)
    thread = supervisor.start("work", work)
    assert thread.name == "work"
    assert status(supervisor).state == "running"
    work.release.set()
    thread.join(10)
    assert status(supervisor) == WorkStatus("work")
    assert status(supervisor).state == "finished"


def test_failed_work_is_restarted_and_counted() -> None:
    supervisor, work = Supervisor(backoff=[0.001]), Flaky(failures=3)
    thread = supervisor.start("work", work)
    assert work.is_running.wait(10)
    now = status(supervisor)
    assert (now.state, now.restarts, now.failures) == ("running", 3, 3)
    assert now.last_error_at is not None
    work.release.set()
    thread.join(10)


class Interruption(BaseException):
    """Like `eventlet.Timeout`, no `Exception`."""


@pytest.mark.parametrize("error", [Interruption, SystemExit])
def test_work_that_was_interrupted_is_restarted_and_counted(error: type[BaseException]) -> None:
    supervisor, work = Supervisor(backoff=[0.001]), Flaky(failures=1, error=error)
    thread = supervisor.start("work", work)
    assert work.is_running.wait(10)
    now = status(supervisor)
    assert (now.state, now.restarts, now.failures) == ("running", 1, 1)
    work.release.set()
    thread.join(10)


def test_work_whose_green_thread_is_ended_is_not_restarted() -> None:
    supervisor, work = Supervisor(backoff=[0.001]), Flaky(failures=1, error=GreenletExit)
    supervisor.start("work", work).join(10)
    assert status(supervisor) == WorkStatus("work")


def test_work_that_waits_for_its_restart_is_reported() -> None:
    supervisor, work = Supervisor(backoff=[30]), Flaky(failures=1)
    supervisor.start("work", work)
    while status(supervisor).state != "restarting":
        pass
    assert status(supervisor).restarts == 0
    work.release.set()


def test_pauses_grow_with_successive_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("chatapp.concurrency.supervision.time.sleep", pauses.append)
    supervisor, work = Supervisor(backoff=[1, 2, 3]), Flaky(failures=5)
    thread = supervisor.start("work", work)
    work.release.set()
    thread.join(10)
    assert pauses == [1, 2, 3, 3, 3]


def test_the_first_pause_applies_again_after_work_was_stable(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    moments = iter(range(0, 1_000_000, 100))
    monkeypatch.setattr("chatapp.concurrency.supervision.time.sleep", pauses.append)
    monkeypatch.setattr("chatapp.concurrency.supervision.time.monotonic", lambda: next(moments))
    supervisor, work = Supervisor(backoff=[1, 2, 3]), Flaky(failures=3)
    thread = supervisor.start("work", work)
    work.release.set()
    thread.join(10)
    assert pauses == [1, 1, 1]


@pytest.mark.parametrize(("on_failure", "ends"), [(OnFailure.END_PROCESS, 1), (OnFailure.LOG, 0)])
def test_work_with_another_policy_is_not_restarted(on_failure: OnFailure, ends: int) -> None:
    ended: list[None] = []
    supervisor, work = Supervisor(end_process=lambda: ended.append(None)), Flaky(failures=1)
    supervisor.start("work", work, on_failure=on_failure).join(10)
    assert (work.calls, len(ended)) == (1, ends)
    assert status(supervisor).state == "failed"


def test_threads_of_one_name_are_reported_together() -> None:
    supervisor, first, second = Supervisor(), Flaky(failures=0), Flaky(failures=0)
    threads = [supervisor.start("work", work) for work in (first, second)]
    assert status(supervisor).running == 2
    first.release.set()
    threads[0].join(10)
    assert (status(supervisor).running, status(supervisor).state) == (1, "running")
    second.release.set()
    threads[1].join(10)


def test_a_failure_that_was_caught_elsewhere_is_counted() -> None:
    supervisor = Supervisor()
    supervisor.record_failure("frames", ValueError("broken"))
    assert (status(supervisor).failures, status(supervisor).state) == (1, "failed")


def test_arguments_are_passed_on() -> None:
    received: list[tuple[int, str]] = []

    def work(number: int, text: str) -> None:
        received.append((number, text))

    supervisor: Callable[..., threading.Thread] = Supervisor().start
    supervisor("work", work, 7, "seven").join(10)
    assert received == [(7, "seven")]


def test_no_other_module_starts_threads() -> None:
    folders = {"concurrency": ("supervision", "native"), "socket_engine": ("server", "connection")}
    exempt = {f"{folder}/{module}.py" for folder, modules in folders.items() for module in modules}
    starts = re.compile(r"(?<!class )\bThread\(|\bspawn(?:_n|_after)?\(|\bstart_background_task\(")
    root = ROOT / "chatapp"
    modules = {str(path.relative_to(root)): path.read_text() for path in root.rglob("*.py")}
    assert exempt <= {name for name, text in modules.items() if starts.search(text)}, "the exceptions are gone"
    assert [name for name, text in modules.items() if starts.search(text) and name not in exempt] == []
