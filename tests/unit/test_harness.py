"""The harness: its servers start, and start again after they were killed."""

import signal
import subprocess
from pathlib import Path

import psycopg

from tests.harness import ROOT
from tests.harness.browser_code import find_node
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
