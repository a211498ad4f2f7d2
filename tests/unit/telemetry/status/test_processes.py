"""What the system knows of processes."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from chatapp.telemetry.status import processes
from chatapp.telemetry.status.processes import ProcessReport, UsageMeter, measure_memory, read_process

needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc")


@pytest.fixture
def child() -> Iterator[int]:
    """A process that this one has started."""
    with subprocess.Popen([sys.executable, "-c", "print(flush=True); input()"], stdin=-1, stdout=-1) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid
        process.communicate(b"\n")


def make_stat(pid: int, name: str, ticks: tuple[int, int], pages: int) -> str:
    fields = ["0"] * 50
    fields[0], fields[11:13], fields[21] = "S", [str(each) for each in ticks], str(pages)
    return f"{pid} ({name}) {' '.join(fields)}"


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder like `/proc`, in which two threads have started the processes 101 and 102."""
    monkeypatch.setattr(processes, "_PROC", tmp_path)
    for thread, pid, module in ((1, 101, "pdf"), (2, 102, "")):
        (tmp_path / "self" / "task" / str(thread)).mkdir(parents=True)
        (tmp_path / "self" / "task" / str(thread) / "children").write_text(f"{pid} ")
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "stat").write_text(make_stat(pid, "a) (b", (200, 100), 3))
        arguments = ["python", "-m", "workers", module] if module else ["other"]
        (tmp_path / str(pid) / "cmdline").write_text("\0".join(arguments) + "\0")
    return tmp_path


def test_time_and_memory_are_those_after_the_name_of_the_process(proc: Path) -> None:
    assert read_process(101) == (300 / os.sysconf("SC_CLK_TCK"), 3 * os.sysconf("SC_PAGE_SIZE"))


def test_a_process_that_has_ended_is_not_known(proc: Path) -> None:
    assert read_process(103) is None
    (proc / "101" / "stat").write_text("")
    assert read_process(101) is None


def test_the_processes_that_this_one_has_started_belong_to_it(proc: Path) -> None:
    usage = UsageMeter().measure(has_parent=False)
    assert [(other.pid, other.name) for other in usage.others] == [
        (101, "Worker process: pdf"),
        (102, "Other program"),
    ]
    assert [other.load for other in usage.others] == [0, 0], "their time before the first sight does not count"


def test_a_thread_that_ends_meanwhile_hides_no_process_of_the_others(proc: Path) -> None:
    (proc / "self" / "task" / "1" / "children").unlink()
    assert [other.pid for other in UsageMeter().measure(has_parent=False).others] == [102]


def test_the_usage_is_that_since_the_last_measurement(proc: Path) -> None:
    meter = UsageMeter()
    meter.measure(has_parent=False)
    (proc / "101" / "stat").write_text(make_stat(101, "python", (10**6, 0), 3))
    grown = meter.measure(has_parent=False)
    seconds = (10**6 - 300) / os.sysconf("SC_CLK_TCK")
    assert grown.cpu_seconds >= seconds * 0.999
    assert [other.load > 0 for other in grown.others] == [True, False]
    again = meter.measure(has_parent=False)
    assert [other.load for other in again.others] == [0, 0]


def test_a_new_process_with_the_number_of_one_that_has_ended_has_no_negative_usage(proc: Path) -> None:
    meter = UsageMeter()
    meter.measure(has_parent=False)
    (proc / "101" / "stat").write_text(make_stat(101, "python", (1, 0), 3))
    assert [other.load for other in meter.measure(has_parent=False).others] == [0, 0]


def test_the_process_itself_is_measured_where_the_system_does_not_know_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "_PROC", tmp_path / "missing")
    meter = UsageMeter()
    before = time.process_time()
    while time.process_time() == before:
        pass
    usage = meter.measure(has_parent=True)
    assert usage.cpu_seconds > 0
    assert usage.load > 0
    assert usage.others == []
    assert measure_memory() > 1_000_000


@needs_linux
def test_the_system_knows_memory_parent_and_children(child: int) -> None:
    assert measure_memory() > 1_000_000
    others = {other.pid: other for other in UsageMeter().measure(has_parent=True).others}
    assert others[child].name == "Other program"
    assert others[child].memory_bytes > 0
    assert others[os.getppid()].name == "Parent of the workers"
    assert os.getppid() not in {other.pid for other in UsageMeter().measure(has_parent=False).others}


def test_the_free_part_of_a_disk_is_not_known_without_its_size() -> None:
    report = ProcessReport("a", "Worker 0", 1, 0, 0)
    assert report.disk_free is None
    assert replace(report, disk_bytes=200, disk_free_bytes=50).disk_free == 0.25
