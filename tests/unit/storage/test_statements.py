"""Statements of the database in the log: slow ones with their time and what they were for, never their parameters."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from chatapp import sqlite
from chatapp.config import Settings
from chatapp.operation import current_operation
from chatapp.storage import statements
from chatapp.storage.statements import StatementObserver, cursor_arguments

TWO_PAUSES = text("SELECT pause(:seconds) FROM (SELECT 1 UNION ALL SELECT 2)")


@pytest.fixture
def observed_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    # A logger that structlog has not bound to the configuration of another test's application.
    monkeypatch.setattr(statements, "log", structlog.get_logger())
    engine = create_engine(
        f"sqlite:///{tmp_path / 'test.sqlite3'}",
        module=sqlite.driver,
        connect_args=cursor_arguments(is_sqlite=True),
        hide_parameters=True,
    )
    StatementObserver(Settings(data_dir=tmp_path, slow_query_ms=100)).observe(engine)

    @event.listens_for(engine, "connect")
    def add_function(connection: Any, _record: object) -> None:
        connection.create_function("pause", 1, time.sleep)

    yield engine
    engine.dispose()


def test_a_query_that_takes_longer_than_the_setting_is_logged_with_statement_time_and_operation(
    observed_engine: Engine,
) -> None:
    current_operation.set("GET /rooms/<int:room_id>")
    with observed_engine.connect() as connection, capture_logs() as lines:
        connection.execute(text("SELECT 1")).all()
        # Each row takes less than the limit, and the second one is found by the fetch, after `execute`.
        connection.execute(TWO_PAUSES, {"seconds": 0.0625}).all()
    (line,) = lines
    assert line["seconds"] >= 0.125
    assert {name: value for name, value in line.items() if name != "seconds"} == {
        "event": "slow query",
        "log_level": "warning",
        "operation": "GET /rooms/<int:room_id>",
        "statement": "SELECT pause(?) FROM (SELECT 1 UNION ALL SELECT 2)",
    }
    assert "0.0625" not in str(lines), "the log has no parameters"


def test_a_slow_statement_that_fails_is_logged(observed_engine: Engine) -> None:
    with observed_engine.connect() as connection, capture_logs() as lines, pytest.raises(OperationalError):
        connection.execute(text("SELECT pause(0.125), pause('text')")).all()
    (line,) = lines
    assert line["statement"].startswith("SELECT pause(0.125)")


def test_a_setting_of_zero_logs_no_slow_queries(tmp_path: Path) -> None:
    with capture_logs() as lines:
        StatementObserver(Settings(data_dir=tmp_path, slow_query_ms=0)).add("SELECT 1", 60)
    assert lines == []
