"""Statements that are executed for many rows at once.

SQLAlchemy takes as long to process the parameters of a row as SQLite takes to store it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Dialect, Insert, Update

Row = Mapping[str, Any]


class BulkStatement:
    """An INSERT or UPDATE, which is compiled once for each dialect. `columns` are the keys of the rows."""

    def __init__(self, statement: Insert | Update, columns: Sequence[str]) -> None:
        self._statement = statement
        self._columns = columns
        self._compiled: dict[str, tuple[str, Callable[[Row], object]]] = {}
        """Text of the statement, and a function that converts a row for the driver, by dialect."""

    def execute(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Execute the statement for each of the rows."""
        dialect = connection.dialect
        if dialect.name not in self._compiled:
            self._compiled[dialect.name] = self._compile(dialect)
        text, convert = self._compiled[dialect.name]
        connection.exec_driver_sql(text, [convert(row) for row in rows])

    def _compile(self, dialect: Dialect) -> tuple[str, Callable[[Row], object]]:
        compiled = self._statement.compile(dialect=dialect, column_keys=list(self._columns))
        processors = {
            name: parameter.type.dialect_impl(dialect).bind_processor(dialect)
            for name, parameter in compiled.binds.items()
        }
        columns = [(name, processors[name]) for name in compiled.positiontup or compiled.binds]

        def convert(row: Row) -> Iterator[object]:
            return (process(row[name]) if process else row[name] for name, process in columns)

        if compiled.positiontup is not None:
            return str(compiled), lambda row: tuple(convert(row))
        return str(compiled), lambda row: dict(zip(processors, convert(row), strict=True))
