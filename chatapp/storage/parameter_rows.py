"""Rows of values as one parameter of a statement.

A list of values in SQL has a parameter for each of them, so that the text of the statement depends on their number:
SQLAlchemy writes it anew and the database prepares it anew for nearly every batch. Here the rows are a JSON text, which
the database makes a table of.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import orjson
from sqlalchemy import Integer, String, Subquery, bindparam, cast, literal_column, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeEngine

INTEGER, TEXT = Integer(), String()


def parameter_rows(name: str, **columns: TypeEngine[Any]) -> Subquery:
    """Return the rows of the parameter `name` as a table with these columns. `encode_rows` makes the parameter."""
    rows = _json_elements(bindparam(name, type_=TEXT)).table_valued("value")
    value = rows.c.value
    return select(
        *(
            cast(value.op("->>")(literal_column(str(index))), column_type).label(column)
            for index, (column, column_type) in enumerate(columns.items())
        )
    ).subquery(name)


def encode_rows(rows: Iterable[Sequence[object]]) -> str:
    """Return the value of a parameter of `parameter_rows`: numbers, texts and None, in the order of the columns."""
    return orjson.dumps(list(rows)).decode()


class _json_elements(FunctionElement[Any]):  # noqa: N801 - named like a function of SQL
    """A table with a row for each element of a JSON array, in the column `value`."""

    inherit_cache = True


@compiles(_json_elements, "sqlite")
def _compile_for_sqlite(element: _json_elements, compiler: SQLCompiler, **options: Any) -> str:
    return f"json_each({compiler.process(element.clauses, **options)})"


@compiles(_json_elements, "postgresql")
def _compile_for_postgresql(element: _json_elements, compiler: SQLCompiler, **options: Any) -> str:
    return f"json_array_elements(CAST({compiler.process(element.clauses, **options)} AS json))"
