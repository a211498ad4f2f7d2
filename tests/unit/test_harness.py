"""The harness: its servers start, and start again after they were killed."""

import signal
import subprocess
from itertools import groupby
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import psycopg
import pytest

from tests.harness import ROOT
from tests.harness.browser_code import find_node
from tests.harness.distribution import distribute
from tests.harness.redis import Redis
from tests.harness.servers import Postgres


def test_postgresql_keeps_what_was_committed_when_it_is_killed(own_postgres: Postgres) -> None:
    database = own_postgres.create_database(migrated=False)
    with psycopg.connect(database) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
    own_postgres.stop(signal.SIGKILL)
    own_postgres.start()
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT number FROM kept").fetchall() == [(7,)]


def test_redis_starts_again_after_it_was_killed(tmp_path: Path) -> None:
    redis = Redis(tmp_path)
    try:
        redis.start()
        redis.stop(signal.SIGKILL)
        redis.start()
        assert redis.is_ready()
        redis.stop()
    finally:
        redis.close()


def test_the_official_javascript_client_loads() -> None:
    script = 'import { io } from "socket.io-client"; process.stdout.write(typeof io)'
    done = subprocess.run(
        [find_node(), "--input-type=module", "--eval", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "function"


@pytest.mark.parametrize("workers", [2, 4])
def test_each_worker_has_a_part_of_the_slow_tests_and_ends_with_unit_tests(workers: int) -> None:
    counts = {"unit/test_a.py": 4_000, "browser/test_b.py": 10, "faults/test_c.py": 9, "faults/test_d.py": 8}
    counts |= {f"integration/test_{number}.py": 20 for number in range(6)}
    items = [
        cast(pytest.Item, SimpleNamespace(path=ROOT / "tests" / name, number=number))
        for name, count in counts.items()
        for number in range(count)
    ]
    ordered = distribute(items, ROOT, workers)
    assert sorted(map(id, ordered)) == sorted(map(id, items))
    size = len(items) // workers
    for part in (ordered[index * size : (index + 1) * size] for index in range(workers)):
        folders = [item.path.parent.name for item in part]
        assert set(folders) > {"unit"}
        assert set(folders[-size // 2 :]) == {"unit"}
    # A module's tests stay together: they share its server.
    assert len([name for name, _ in groupby(item.path for item in ordered) if name.parent.name != "unit"]) == 9
