"""Statements that every request executes: they find a login, a conversation, the keys of its messages.

SQLAlchemy takes ten times as long as SQLite to find a row by its key.
"""

import logging
from collections.abc import Sequence
from contextlib import closing
from typing import Any
from weakref import WeakKeyDictionary

import structlog
from sqlalchemy import ColumnElement, Dialect, Select, bindparam, cast
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeEngine

from chatapp.concurrency.cooperation import checkpoint

log = structlog.get_logger(__name__)

_statement_log = logging.getLogger("sqlalchemy.engine.Engine")
"""Where SQLAlchemy logs statements, if the operator wants that: then it executes them."""


class ReadStatement:
    """A SELECT of columns. For SQLite it is compiled once, and the driver executes it."""

    def __init__(self, statement: Select[*tuple[Any, ...]]) -> None:
        self._statement = statement
        self._compiled: WeakKeyDictionary[Dialect, _Compiled] = WeakKeyDictionary()
        self._is_logged = False

    def fetch(self, session: Session, **parameters: object) -> Sequence[Sequence[Any]]:
        """Execute the statement, and return its rows. What the session has to write is written before."""
        session.flush()
        connection = session.connection()
        dialect = connection.dialect
        if dialect.name != "sqlite" or _statement_log.isEnabledFor(logging.INFO):
            return connection.execute(self._statement, parameters).all()
        compiled = self._compiled.get(dialect)
        if compiled is None:
            compiled = self._compiled[dialect] = _Compiled(self._statement, dialect)
        try:
            with closing(connection.connection.cursor()) as cursor:
                cursor.execute(compiled.text, compiled.bind(parameters))
                rows = cursor.fetchall()
        except dialect.loaded_dbapi.Error as error:
            # It raises the error that callers know. If it raises none, each execution takes longer than it should.
            rows = connection.execute(self._statement, parameters).all()
            self._log_failure(compiled, error)
            return rows
        checkpoint()
        return compiled.convert(rows)

    def _log_failure(self, compiled: "_Compiled", error: Exception) -> None:
        """Log once that the driver does not execute a statement which SQLAlchemy executes."""
        if not self._is_logged:
            self._is_logged = True
            log.warning("a statement failed in the driver and was repeated", statement=compiled.text, reason=str(error))


def opaque_parameter(name: str, value_type: TypeEngine[Any]) -> ColumnElement[Any]:
    """Return a parameter that SQLite does not look at when it plans a statement.

    It plans a statement anew for each execution if a LIMIT, or the use of a partial index, depends on a parameter.
    """
    return cast(bindparam(name, type_=value_type), value_type)


class _Compiled:
    """The text of a statement, and how its parameters and its rows are converted."""

    def __init__(self, statement: Select[*tuple[Any, ...]], dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        self.text = str(compiled)
        converters = {
            name: parameter.type.dialect_impl(dialect).bind_processor(dialect)
            for name, parameter in compiled.binds.items()
        }
        self._constants = compiled.params
        self._parameters = [(name, converters[name]) for name in compiled.positiontup or ()]
        types = (column.type.dialect_impl(dialect) for column in statement.selected_columns)
        results = enumerate(each.result_processor(dialect, None) for each in types)
        self._results = [(index, convert) for index, convert in results if convert is not None]

    def bind(self, parameters: dict[str, object]) -> list[object]:
        """Return the parameters as the driver expects them."""
        values = self._constants | parameters
        return [values[name] if convert is None else convert(values[name]) for name, convert in self._parameters]

    def convert(self, rows: Sequence[Sequence[Any]]) -> Sequence[Sequence[Any]]:
        """Return the driver's rows with the values that SQLAlchemy would return."""
        if not self._results:
            return rows
        converted = [list(row) for row in rows]
        for row in converted:
            for index, convert in self._results:
                row[index] = convert(row[index])
        return converted
