"""Statements that are executed for many rows at once.

SQLAlchemy takes as long to process the parameters of a row as SQLite takes to store it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Dialect, Insert, Update

Row = Mapping[str, Any]

Convert = Callable[[Sequence[Row]], list[Any]]


class BulkStatement:
    """An INSERT or UPDATE, which is compiled once for each dialect.

    `columns` are the keys of the rows. Empty if the statement has `values()`: the keys are then its bind parameters.
    """

    def __init__(self, statement: Insert | Update, columns: Sequence[str]) -> None:
        self._statement = statement
        self._columns = columns
        self._compiled: dict[str, tuple[str, Convert]] = {}
        """Text of the statement, and a function that converts rows for the driver, by dialect."""

    def execute(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Execute the statement for each of the rows."""
        dialect = connection.dialect
        if dialect.name not in self._compiled:
            self._compiled[dialect.name] = self._compile(dialect)
        text, convert = self._compiled[dialect.name]
        connection.exec_driver_sql(text, convert(rows))

    def _compile(self, dialect: Dialect) -> tuple[str, Convert]:
        compiled = self._statement.compile(dialect=dialect, column_keys=list(self._columns))
        names = compiled.positiontup or list(compiled.binds)
        types = (compiled.binds[name].type.dialect_impl(dialect) for name in names)
        columns = [(name, each.bind_processor(dialect)) for name, each in zip(names, types, strict=True)]

        def convert(rows: Sequence[Row]) -> list[Any]:
            # Column by column, which is faster than row by row.
            values = [
                [process(row[name]) for row in rows] if process else [row[name] for row in rows]
                for name, process in columns
            ]
            converted = zip(*values, strict=True)
            if compiled.positiontup is not None:
                return list(converted)
            return [dict(zip(names, row, strict=True)) for row in converted]

        return str(compiled), convert
