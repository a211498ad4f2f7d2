"""Values that are the same in SQLite and PostgreSQL, and what PostgreSQL cannot store."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import JSON, BigInteger, Boolean, Column, DateTime, Integer, LargeBinary, MetaData, String, Table, Text
from sqlalchemy.types import TypeEngine

from chatapp.database_copy.databases import TABLES
from chatapp.database_copy.values import Checksum, DoesNotFit, TableValues, sqlite_value
from chatapp.models import Base

NOON = datetime(2026, 1, 31, 12, 0, 0, 5, tzinfo=UTC)


def normalise(kind: TypeEngine[Any], value: object) -> object:
    table = Table("things", MetaData(), Column("id", Integer, primary_key=True), Column("value", kind))
    return TableValues(table).normalise([7, value])[1]


@pytest.mark.parametrize(
    ("kind", "in_sqlite", "in_postgresql"),
    [
        (Boolean(), 1, True),
        (Boolean(), 0, False),
        (Integer(), -(2**31), -(2**31)),
        (BigInteger(), 2**63 - 1, 2**63 - 1),
        (String(3), "äöü", "äöü"),
        (Text(), "👍", "👍"),
        (JSON(), '{"a": 1.0, "b": "\\ud800"}', '{"a": 1.0, "b": "\\ud800"}'),
        (LargeBinary(), b"\0\xff", memoryview(b"\0\xff")),
        (DateTime(timezone=True), "2026-01-31 12:00:00.000005", NOON.astimezone(timezone(timedelta(hours=2)))),
        (DateTime(timezone=True), "2026-01-31 12:00:00", NOON.replace(microsecond=0)),
    ],
)
def test_both_databases_have_the_same_value(kind: TypeEngine[Any], in_sqlite: object, in_postgresql: object) -> None:
    assert repr(normalise(kind, in_sqlite)) == repr(normalise(kind, in_postgresql))
    assert normalise(kind, None) is None


def test_a_time_is_stored_in_sqlite_as_chatapp_stores_it() -> None:
    assert sqlite_value(NOON) == "2026-01-31 12:00:00.000005"
    assert sqlite_value(NOON.replace(year=26, microsecond=0)) == "0026-01-31 12:00:00.000000"
    assert sqlite_value("text") == "text"


@pytest.mark.parametrize(
    ("kind", "value", "reason"),
    [
        (Boolean(), 2, "is 2, not a boolean"),
        (Integer(), 2**31, "is 2147483648, too large for an integer of 32 bits"),
        (Integer(), "seven", "is str, not an integer"),
        (Integer(), 1.5, "is float, not an integer"),
        (Text(), "a\0b", "has a NUL character"),
        (Text(), "\udcff", "is not valid UTF-8"),
        (Text(), b"bytes", "is bytes, not text"),
        (String(3), "abcd", "has 4 characters, more than 3"),
        (JSON(), "{", "is not valid JSON"),
        (JSON(), '{"a": NaN}', "is not valid JSON"),
        (JSON(), "[" * 100_000, "is not valid JSON"),
        (LargeBinary(), "text", "is str, not bytes"),
        (DateTime(timezone=True), "yesterday", "is 'yesterday', not a time"),
        (DateTime(timezone=True), 5, "is 5, not a time"),
    ],
)
def test_what_postgresql_cannot_store_is_named(kind: TypeEngine[Any], value: object, reason: str) -> None:
    with pytest.raises(DoesNotFit) as caught:
        normalise(kind, value)
    assert [str(misfit) for misfit in caught.value.misfits] == [f"things 7: value {reason}"]


def test_every_column_of_every_table_can_be_copied() -> None:
    assert {table.name for table in TABLES} == set(Base.metadata.tables)
    for table in TABLES:
        assert TableValues(table)


def test_a_column_of_an_unknown_type_is_an_error() -> None:
    with pytest.raises(NotImplementedError, match=r"things\.value"):
        normalise(TypeEngine(), 1)


def test_a_checksum_depends_on_each_value_and_not_on_the_order_of_the_rows() -> None:
    def digest(*rows: tuple[Any, ...]) -> str:
        checksum = Checksum()
        checksum.add(rows)
        return checksum.hexdigest()

    assert digest((1, "a"), (2, "b")) == digest((2, "b"), (1, "a"))
    different = [
        digest(),
        digest((1, "a")),
        digest((1, None)),
        digest((1, "")),
        digest((True, "a")),
        digest((1, "a"), (1, "a")),
    ]
    assert len(set(different)) == len(different)
