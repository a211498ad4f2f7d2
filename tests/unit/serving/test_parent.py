"""The parent of the workers, with small programs in place of the workers."""

import os
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest

from chatapp.serving import parent, plain_log
from chatapp.serving.backoff import BACKOFF_SECONDS, STABLE_SECONDS, Backoff
from chatapp.serving.parent import Options, Parent, choose_slot
from chatapp.serving.pid_file import ParentState, PidFile, find_parent
from tests.harness.waiting import eventually, scaled

FAKE_WORKER = """
import os, signal, sys
number = os.environ["CHATAPP_WORKER"]
if os.path.exists("broken-" + number):
    sys.exit(3)
ignores = os.path.exists("deaf")
if ignores:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
_, channel, loads, slot = map(int, sys.argv[sys.argv.index("--link") + 1].split(","))
os.pwrite(loads, (7).to_bytes(8, sys.byteorder), slot * 8)
os.write(channel, b"ready /setup/x\\n")
while os.read(channel, 64) and ignores:
    pass
"""
"""Ends when it is replaced, when the parent ends and, unless there is a file `deaf`, at SIGTERM."""


def test_the_pauses_before_restarts_grow_and_begin_again_after_a_stable_run() -> None:
    backoff = Backoff()
    assert [backoff.next_pause(0.5) for _ in range(8)] == [1, 2, 4, 8, 15, 30, 30, 30]
    assert BACKOFF_SECONDS[-1] == 30
    assert backoff.next_pause(STABLE_SECONDS) == 1
    assert backoff.next_pause(0.5) == 2


def test_a_worker_and_its_replacement_have_different_slots_and_the_next_one_the_first_again() -> None:
    assert choose_slot(1, 3, {0, 1, 2}) == 4
    assert choose_slot(1, 3, {0, 4, 2}) == 1
    assert [choose_slot(number, 3, set()) for number in range(3)] == [0, 1, 2]


class Run:
    """A parent that runs in a thread."""

    def __init__(self, folder: Path, printed: list[str], log: list[str], workers: int = 2) -> None:
        self.folder = folder
        self.printed, self._log = printed, log
        listener = socket.create_server(("127.0.0.1", 0))
        command = (sys.executable, "-S", str(folder / "worker.py"))
        options = Options(workers, listener.detach(), folder, "http://127.0.0.1:1", upgrade=True, command=command)
        pid_file = PidFile.claim(folder)
        assert pid_file is not None
        self._pid_file = pid_file
        self.parent = Parent(options, pid_file)
        self.exit_code: int | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        self.exit_code = self.parent.run()

    def log(self) -> str:
        return "\n".join(self._log)

    def wait_until_ready(self) -> "Run":
        eventually(lambda: "chatapp is ready on" in "".join(self.printed), "all workers are ready")
        return self

    def wait_for(self, pattern: str, count: int = 1) -> list[str]:
        """Wait until the log has a number of matches, and return them."""
        eventually(lambda: len(re.findall(pattern, self.log())) >= count, f"{count} × {pattern}")
        return re.findall(pattern, self.log())

    def send(self, number: signal.Signals) -> None:
        self.parent.waker.send(bytes([number]))

    def pids(self) -> dict[int, int]:
        found = re.findall(r"worker is ready .*worker=(\d) process=(\d+)", self.log())
        return {int(number): int(pid) for number, pid in found}

    def wait(self) -> int | None:
        self._thread.join(scaled(20))
        return self.exit_code

    def close(self) -> None:
        if self._thread.is_alive():
            with suppress(OSError):
                self.send(signal.SIGTERM)
            time.sleep(0.1)
            with suppress(OSError):
                self.send(signal.SIGTERM)
        self._thread.join(scaled(20))
        os.close(self._pid_file._descriptor)


NewRun = Callable[[], Run]
"""Starts a parent, which may not be ready yet."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "worker.py").write_text(FAKE_WORKER)
    monkeypatch.setattr(parent, "ROOT", tmp_path)
    monkeypatch.setattr("chatapp.serving.backoff.BACKOFF_SECONDS", (0.05, 0.1))
    return tmp_path


@pytest.fixture
def new_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[NewRun]:
    # The parent writes in its thread. What pytest captures would lose the lines that are written while it is read.
    printed: list[str] = []
    log: list[str] = []
    for module in (parent, plain_log):
        monkeypatch.setattr(
            module, "write_line", lambda output, line: (printed if output is sys.stdout else log).append(line)
        )
    with ExitStack() as stack:
        yield lambda: stack.enter_context(closing(Run(folder, printed, log)))


@pytest.fixture
def run(new_run: NewRun) -> Run:
    return new_run().wait_until_ready()


def test_the_address_and_the_setup_link_are_printed_once_all_workers_are_ready(run: Run) -> None:
    assert run.printed == [
        "chatapp is ready on http://127.0.0.1:1",
        "Create the owner's account: http://127.0.0.1:1/setup/x",
    ]
    lines = run.log().splitlines()
    assert [line.count("worker=0") for line in lines[:2]] == [1, 1], "the first worker is ready before others start"


def test_a_worker_that_ends_is_started_again_under_its_number(run: Run) -> None:
    first = run.pids()
    os.kill(first[1], signal.SIGKILL)
    (line,) = run.wait_for(r"worker ended unexpectedly.*")
    assert f"worker=1 process={first[1]} signal=SIGKILL restart_seconds=0.05" in line
    eventually(lambda: run.pids()[1] != first[1], "the worker is ready again")
    assert run.pids()[0] == first[0]


def test_a_reload_replaces_one_worker_after_the_other(run: Run) -> None:
    first = run.pids()
    run.send(signal.SIGHUP)
    run.wait_for("workers replaced")
    assert not set(first.values()) & set(run.pids().values())
    events = re.findall(r"(worker started|worker is ready|worker stopped) .*worker=(\d)", run.log())
    one = ["worker started", "worker is ready", "worker stopped"]
    assert events[-6:] == [(event, number) for number in "01" for event in one]
    state = find_parent(run.folder)
    assert state == ParentState(os.getpid(), reloads=1)
    run.send(signal.SIGHUP)
    eventually(lambda: find_parent(run.folder) == ParentState(os.getpid(), reloads=2), "the second reload has ended")


def test_a_reload_that_fails_leaves_the_workers_alone(run: Run) -> None:
    first = run.pids()
    (run.folder / "broken-1").touch()
    run.send(signal.SIGHUP)
    run.wait_for("not all workers replaced: the others continue as before.*status=3")
    assert run.pids()[1] == first[1]
    state = find_parent(run.folder)
    assert state is not None
    assert state.has_failed
    os.kill(first[1], 0)


def test_a_worker_that_ended_returns_with_a_reload(run: Run) -> None:
    (run.folder / "broken-1").touch()
    first = run.pids()
    os.kill(first[1], signal.SIGKILL)
    run.wait_for("worker ended unexpectedly", count=2)
    (run.folder / "broken-1").unlink()
    run.send(signal.SIGHUP)
    run.wait_for("workers replaced")
    assert not set(first.values()) & set(run.pids().values())


def test_a_reload_replaces_workers_of_which_one_keeps_ending_from_the_start(folder: Path, new_run: NewRun) -> None:
    (folder / "broken-1").touch()
    run = new_run()
    run.wait_for("worker ended unexpectedly")
    (folder / "broken-1").unlink()
    run.send(signal.SIGHUP)
    run.wait_for("workers replaced")
    run.wait_until_ready()


def test_a_signal_stops_all_workers(run: Run) -> None:
    pids = run.pids()
    run.send(signal.SIGTERM)
    assert run.wait() == 0
    for pid in pids.values():
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_worker_that_waits_for_its_restart_is_not_started_while_the_others_stop(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatapp.serving.backoff.BACKOFF_SECONDS", (30.0,))
    os.kill(run.pids()[1], signal.SIGKILL)
    run.wait_for("worker ended unexpectedly")
    run.send(signal.SIGTERM)
    assert run.wait() == 0
    assert run.log().count("worker started") == 2


def test_a_second_signal_kills_workers_that_do_not_end(folder: Path, new_run: NewRun) -> None:
    (folder / "deaf").touch()
    run = new_run().wait_until_ready()
    run.send(signal.SIGINT)
    run.wait_for("stopping the workers")
    run.send(signal.SIGINT)
    assert run.wait() == 1


def test_workers_that_do_not_end_in_time_are_killed(
    folder: Path, new_run: NewRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parent, "STOP_SECONDS", 0.2)
    (folder / "deaf").touch()
    run = new_run().wait_until_ready()
    run.send(signal.SIGTERM)
    run.wait_for("worker killed: it took too long", count=2)
    assert run.wait() == 1


def test_a_first_worker_that_cannot_start_ends_the_parent(folder: Path, new_run: NewRun) -> None:
    (folder / "broken-0").touch()
    run = new_run()
    assert run.wait() == 1
    run.wait_for("chatapp cannot start: see the line above.*status=3")
    assert run.log().count("worker started") == 1


def test_a_program_that_cannot_be_started_is_tried_again(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run.pids()

    def fail(*_arguments: object, **_options: object) -> None:
        raise OSError(12, "Cannot allocate memory")

    with monkeypatch.context() as patch:
        patch.setattr("subprocess.Popen", fail)
        run.send(signal.SIGHUP)
        run.wait_for("not all workers replaced.*cannot be started")
        os.kill(first[0], signal.SIGKILL)
        run.wait_for("worker cannot be started", count=3)
    eventually(lambda: run.pids()[0] != first[0], "the worker is ready again")


def test_the_pid_file_has_one_owner_and_outlives_it_without_effect(tmp_path: Path) -> None:
    assert find_parent(tmp_path) is None
    file = PidFile.claim(tmp_path)
    assert file is not None
    assert PidFile.claim(tmp_path) is None
    assert find_parent(tmp_path) == ParentState(os.getpid())
    os.close(file._descriptor)
    assert (tmp_path / "server.pid").exists()
    assert find_parent(tmp_path) is None


def test_lines_of_the_parent_look_like_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    plain_log.write_log("info", "worker started", worker=2, id=1)
    line = capsys.readouterr().err
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT[\d:.]{15}Z \[info     \] worker started {17}\[chatapp\.serving\.parent\] worker=2 id=1\s",
        line,
    )


def test_a_log_that_nobody_reads_does_not_end_the_parent() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with suppress(BrokenPipeError), open(writer, "w") as log:  # noqa: PTH123 - a descriptor
        plain_log.write_line(log, "worker started")


def test_the_parent_imports_nothing_large() -> None:
    """It must stay small: it runs as long as the installation does."""
    from tests.harness.programs import run_program

    result = run_program("import sys, chatapp.serving.parent; print(*sys.modules)")
    loaded = set(result.stdout.split())
    assert not {"eventlet", "flask", "structlog", "pydantic", "sqlalchemy", "logging"} & loaded
