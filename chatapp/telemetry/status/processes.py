"""What a process reports of itself, and what the system knows of it."""

import os
import resource
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from chatapp.storage.statements import SlowStatement

FRESH_SECONDS = 30.0
"""Time since its last report after which a process counts as missing: it has left out two."""

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class SystemProcess:
    """A process that does not report: the parent of the workers, or a worker process."""

    name: str
    pid: int
    memory_bytes: int
    load: float
    """Processor time for each second, in the last interval: 1 is one processor."""


@dataclass(frozen=True, slots=True)
class ProcessReport:
    """The state of one process that serves."""

    id: str
    """A new one for each start."""
    name: str
    """Such as “Worker 2”. A process that takes the place of another one has its name."""
    pid: int
    started_at: float
    """In Unix time, as all times."""
    reported_at: float
    worker: int | None = None
    workers: int = 1
    """Number of workers that there should be."""
    is_one_of_many: bool = False
    """Whether several processes may serve this installation, so that it may be another one that is missing."""
    memory_bytes: int = 0
    load: float = 0.0
    people: int = 0
    """Number of people who are connected to any process."""
    sockets: int = 0
    spooled: int = 0
    spooled_since: float | None = None
    """Since when the spool was not empty."""
    database_away_since: float | None = None
    disk_free_bytes: int = 0
    disk_bytes: int = 0
    """Size of the disk of the data folder; 0 if it is not known."""
    has_pending_migrations: bool = False
    others: Sequence[SystemProcess] = ()
    slow_statements: Sequence[SlowStatement] = ()

    def is_fresh(self, now: float) -> bool:
        """Return whether the process has reported lately."""
        return now - self.reported_at <= FRESH_SECONDS

    @property
    def disk_free(self) -> float | None:
        """The free part of the disk, of 1."""
        return self.disk_free_bytes / self.disk_bytes if self.disk_bytes else None


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process and those that belong to it have used since they were last measured."""

    load: float
    """That of the process itself."""
    cpu_seconds: float
    """Processor time of all of them."""
    others: Sequence[SystemProcess]


class UsageMeter:
    """Measures what this process uses, and the processes that belong to it."""

    def __init__(self) -> None:
        self._seconds: dict[int, float] = {os.getpid(): time.process_time()}
        """Processor time of each process so far."""
        self._measured_at = time.monotonic()

    def measure(self, *, has_parent: bool) -> Usage:
        """Measure the usage since the last call.

        The processes that this one has started belong to it and, with `has_parent`, the one that has started it. They
        are known on Linux only.
        """
        now = time.monotonic()
        elapsed = max(now - self._measured_at, 0.001)
        after, others = {os.getpid(): time.process_time()}, []
        for pid in [*([os.getppid()] if has_parent else []), *_list_children()]:
            if (measured := read_process(pid)) is not None:
                after[pid] = measured[0]
                others.append(SystemProcess(_describe(pid), pid, measured[1], self._spent(pid, measured[0]) / elapsed))
        own = self._spent(os.getpid(), after[os.getpid()])
        self._seconds, self._measured_at = after, now
        return Usage(own / elapsed, own + sum(other.load for other in others) * elapsed, others)

    def _spent(self, pid: int, seconds: float) -> float:
        """Return the processor time of a process since the last call; none at the first sight of it."""
        return max(0.0, seconds - self._seconds.get(pid, seconds))


def measure_memory() -> int:
    """Return the memory of this process in bytes; where the system does not know it, the most that it had."""
    if (measured := read_process(os.getpid())) is not None:
        return measured[1]
    unit = 1 if sys.platform == "darwin" else 1_024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def read_process(pid: int) -> tuple[float, int] | None:
    """Return processor time in seconds and memory in bytes of a process; None if that is not known."""
    try:
        # The name in parentheses may contain spaces and parentheses.
        fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        ticks, pages = int(fields[11]) + int(fields[12]), int(fields[21])
    except (OSError, ValueError, IndexError):
        return None
    return ticks / os.sysconf("SC_CLK_TCK"), pages * os.sysconf("SC_PAGE_SIZE")


def _list_children() -> list[int]:
    try:
        threads = list((_PROC / "self" / "task").iterdir())
    except OSError:
        return []
    children: set[int] = set()
    for thread in threads:
        with suppress(OSError):  # The thread has ended.
            children.update(map(int, (thread / "children").read_text().split()))
    return sorted(children)


def _describe(pid: int) -> str:
    if pid == os.getppid():
        return "Parent of the workers"
    try:
        arguments = (_PROC / str(pid) / "cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        arguments = []
    # `python -m workers pdf …`: see `chatapp.concurrency.worker_processes`.
    return f"Worker process: {arguments[3]}" if arguments[1:3] == ["-m", "workers"] else "Other program"
