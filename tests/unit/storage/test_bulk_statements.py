"""Statements for many rows at once, on SQLite; posting messages uses them on both databases."""

from datetime import datetime, timedelta, timezone
from typing import Any

from sqlalchemy import Column, Integer, MetaData, Table, bindparam, create_engine, insert, select, update
from sqlalchemy.dialects.postgresql import psycopg

from chatapp.models.base import JsonObject, UtcDateTime
from chatapp.storage.bulk_statements import BulkStatement

MOMENT = datetime(2026, 5, 4, 10, 30, tzinfo=timezone(timedelta(hours=2)))

table = Table(
    "events",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("details", JsonObject, key="extra"),
    Column("at", UtcDateTime),
)

INSERT = BulkStatement(insert(table), ("id", "extra", "at"))

UPDATE = BulkStatement(update(table).where(table.c.id == bindparam("key")).values(at=bindparam("at")), ("key", "at"))


def test_rows_are_stored_as_the_types_of_their_columns_say() -> None:
    rows: list[dict[str, Any]] = [{"id": 1, "extra": {"é": [1]}, "at": MOMENT}, {"id": 2, "extra": None, "at": None}]
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        table.create(connection)
        INSERT.execute(connection, rows)
        assert connection.execute(select(table)).all() == [tuple(row.values()) for row in rows]
        UPDATE.execute(connection, [{"key": 2, "at": MOMENT}, {"key": 1, "at": None}])
        assert [row.at for row in connection.execute(select(table).order_by(table.c.id))] == [None, MOMENT]
    engine.dispose()


def test_drivers_that_know_parameters_by_name_get_names() -> None:
    text, convert = INSERT._compile(psycopg.dialect())
    assert "%(extra)s" in text
    (converted,) = convert([{"id": 1, "extra": None, "at": MOMENT}])
    assert isinstance(converted, dict)
    assert converted["at"] == MOMENT
