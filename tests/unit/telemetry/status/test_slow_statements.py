"""The slow statements that the page shows: a bounded number of shapes, without parameters."""

import pytest
from sqlalchemy import Column, DateTime, Integer, MetaData, String, Table, insert, select
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.sql import ClauseElement

from chatapp.storage.statements import MAX_KEPT_CHARS, MAX_SLOW_STATEMENTS, SlowStatements

EVENTS = Table(
    "events", MetaData(), Column("id", Integer), Column("name", String(20)), Column("at", DateTime(timezone=True))
)

DIALECTS = [SQLiteDialect_pysqlite(paramstyle="qmark"), PGDialect_psycopg()]


def list_shapes(dialect: Dialect, *statements: ClauseElement) -> list[str]:
    slow = SlowStatements()
    for statement in statements:
        compiled = statement.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
        slow.add(" ".join(str(compiled).split()), 1.0, "GET /")
    return [each.statement for each in slow.list()]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_statements_with_lists_of_different_length_have_one_shape(dialect: Dialect) -> None:
    queries = [select(EVENTS.c.id).where(EVENTS.c.id.in_(range(length))) for length in (1, 2, 50)]
    assert list_shapes(dialect, *queries) == ["SELECT events.id FROM events WHERE events.id IN (…)"]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_inserts_of_different_numbers_of_rows_have_one_shape(dialect: Dialect) -> None:
    row = {"id": 1, "name": "a", "at": None}
    inserts = [insert(EVENTS).values([row] * rows) for rows in (1, 2, 50)]
    assert list_shapes(dialect, *inserts) == ["INSERT INTO events (id, name, at) VALUES (…)"]


def test_a_single_parameter_and_a_call_stay_as_they_are() -> None:
    slow = SlowStatements()
    slow.add(text := "SELECT lower(?) FROM events WHERE id = ? AND name = coalesce(name, ?)", 1.0, "GET /")
    assert [each.statement for each in slow.list()] == [text]


def test_executions_of_one_shape_are_counted_together() -> None:
    slow = SlowStatements()
    slow.add("SELECT 1", 0.5, "GET /a")
    slow.add("SELECT 1", 0.75, "GET /b")
    slow.add("SELECT 1", 0.25, "GET /c")
    (statement,) = slow.list()
    assert (statement.count, statement.seconds, statement.max_seconds) == (3, 1.5, 0.75)
    assert statement.operation == "GET /c"
    assert slow.count == 3


def test_the_statements_that_were_slow_longest_ago_are_dropped_but_counted() -> None:
    slow = SlowStatements()
    for number in range(MAX_SLOW_STATEMENTS):
        slow.add(f"SELECT {number}", 1.0, "GET /")
    slow.add("SELECT 0", 1.0, "GET /")
    slow.add("SELECT new", 1.0, "GET /")
    kept = [each.statement for each in slow.list()]
    assert kept == [*(f"SELECT {number}" for number in range(2, MAX_SLOW_STATEMENTS)), "SELECT 0", "SELECT new"]
    assert slow.count == MAX_SLOW_STATEMENTS + 2


def test_a_long_statement_is_cut() -> None:
    slow = SlowStatements()
    slow.add("SELECT " + "x" * 10_000, 1.0, "GET /")
    assert len(slow.list()[0].statement) == MAX_KEPT_CHARS


def test_what_is_listed_does_not_change_any_more() -> None:
    slow = SlowStatements()
    slow.add("SELECT 1", 1.0, "GET /")
    (before,) = slow.list()
    slow.add("SELECT 1", 1.0, "GET /")
    assert before.count == 1
