"""Worker processes: their limits, and what happens when one is exceeded."""

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from chatapp.concurrency.worker_processes import WorkerPool
from chatapp.errors import Busy, ChatError, Internal, TooComplex
from tests.harness.waiting import eventually, scaled

NewPool = Callable[..., WorkerPool]

SMALL: dict[str, Any] = {"title": "Title", "notes": [], "messages": [("Ana", "Hi", "")]}
ENDLESS: dict[str, Any] = {"title": "Title", "notes": [], "messages": [("Ana", "word " * 2_000, "")] * 2_000}
"""Takes minutes."""


@pytest.fixture
def new_pool() -> Iterator[NewPool]:
    pools: list[WorkerPool] = []

    def create(**limits: Any) -> WorkerPool:
        defaults = {"processes": 1, "max_queued": 5, "memory_mb": 512, "timeout_seconds": scaled(30)}
        pools.append(WorkerPool("pdf", **defaults | limits))
        return pools[-1]

    yield create
    for pool in pools:
        pool.close()


def test_one_process_serves_one_request_after_the_other(new_pool: NewPool):
    pool = new_pool()
    assert pool.run(**SMALL).startswith(b"%PDF-")
    pids = pool.list_idle_pids()
    assert pool.run(**SMALL).startswith(b"%PDF-")
    assert pool.list_idle_pids() == pids


def test_a_process_that_takes_too_long_is_killed_and_replaced(new_pool: NewPool):
    pool = new_pool(timeout_seconds=scaled(3))
    assert pool.run(**SMALL)
    (pid,) = pool.list_idle_pids()
    with pytest.raises(TooComplex):
        pool.run(**ENDLESS)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert pool.run(**SMALL)
    assert pool.list_idle_pids() != [pid]


def test_a_process_that_needs_too_much_memory_is_replaced(new_pool: NewPool):
    pool = new_pool(memory_mb=128)
    with pytest.raises(TooComplex):
        pool.run(title="Title", notes=[], messages=[("Ana", "word " * 10_000_000, "")])
    assert pool.list_idle_pids() == []
    assert pool.run(**SMALL)


def test_a_process_that_died_while_idle_is_replaced(new_pool: NewPool):
    pool = new_pool()
    assert pool.run(**SMALL)
    (pid,) = pool.list_idle_pids()
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: _has_ended(pid))
    assert pool.run(**SMALL)


def _has_ended(pid: int) -> bool:
    with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123 - not a regular file
        return stat.read().rpartition(")")[2].split()[0] == "Z"


def test_a_program_that_fails_is_an_internal_error(new_pool: NewPool):
    pool = new_pool()
    with pytest.raises(Internal):
        pool.run(title="Title", notes=[], messages=None)
    assert pool.run(**SMALL)


def test_requests_past_the_queue_are_refused(new_pool: NewPool):
    pool = new_pool(max_queued=0, timeout_seconds=scaled(3))

    def run() -> type[ChatError] | None:
        try:
            pool.run(**ENDLESS)
        except ChatError as error:
            return type(error)
        return None

    with ThreadPoolExecutor(3) as threads:
        outcomes = [future.result() for future in [threads.submit(run) for _ in range(3)]]
    assert sorted(outcomes, key=str) == [Busy, Busy, TooComplex]
    with closing(new_pool()) as other:
        assert other.run(**SMALL)


def test_a_process_gets_no_settings_of_the_server(new_pool: NewPool, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://chatapp:secret@localhost/chatapp")
    pool = new_pool()
    pool.run(**SMALL)
    (pid,) = pool.list_idle_pids()
    environment = Path(f"/proc/{pid}/environ").read_bytes()
    assert b"PATH=" in environment
    assert b"secret" not in environment
