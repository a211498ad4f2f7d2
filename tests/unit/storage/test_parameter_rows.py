"""Rows of values as one parameter, on SQLite; posting messages uses them on both databases."""

import pytest
from sqlalchemy import create_engine, select
from sqlalchemy.dialects import postgresql

from chatapp.storage.parameter_rows import INTEGER, TEXT, encode_rows, parameter_rows

ROWS = parameter_rows("pairs", number=INTEGER, text=TEXT)

SELECT = select(ROWS.c.number, ROWS.c.text)


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [(1, "one")],
        [(2**53 + 1, "quotes \" ' and \\"), (None, None), (-1, "é😀\u2028\n"), (0, "")],
        [(number, str(number)) for number in range(1_000)],
    ],
)
def test_values_arrive_as_they_are(rows: list[tuple[int | None, str | None]]) -> None:
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        assert [tuple(row) for row in connection.execute(SELECT, {"pairs": encode_rows(rows)})] == rows
    engine.dispose()


def test_there_is_one_parameter_on_postgresql_too() -> None:
    compiled = SELECT.compile(dialect=postgresql.dialect())
    assert list(compiled.params) == ["pairs"]
    assert "json_array_elements" in str(compiled)
