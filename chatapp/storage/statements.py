"""The time that each statement of the database takes, and a log line for each slow one.

Cursors are measured, not SQLAlchemy's events: SQLite finds most rows of a query while they are fetched, after its
`execute` has returned. Statements are logged without their parameters.
"""

import re
import time
from collections import OrderedDict
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import structlog
from sqlalchemy import Engine, event

from chatapp import sqlite
from chatapp.concurrency.native import new_shared_lock
from chatapp.config import Settings
from chatapp.distribution import Distribution
from chatapp.operation import current_operation

log = structlog.get_logger(__name__)

MAX_LOGGED_CHARS = 2_000
"""Maximum length of a statement in the log."""

MAX_KEPT_CHARS = 500
"""Maximum length of a statement that is kept."""

MAX_SLOW_STATEMENTS = 20
"""Maximum number of statements that are kept. The one that was slow longest ago is dropped first."""

_PARAMETER = r"(?:\?|%\(\w+\)s(?:::[\w ]+(?:\[\])?)?)"
"""That of SQLite, or one of PostgreSQL, which may have a type: `%(id_1)s::INTEGER`."""

_LIST = rf"\({_PARAMETER}(?:, ?{_PARAMETER})+\)"

_PARAMETERS = re.compile(rf"{_LIST}(?:, ?{_LIST})*|(?<= IN )\({_PARAMETER}\)")
"""A list of parameters, or several rows of them, whose length differs between statements of the same shape."""


@dataclass(slots=True)
class SlowStatement:
    """Executions of one statement that were slow."""

    statement: str
    operation: str
    """What needed it last: a route, a socket event, a background work, or several."""
    count: int = 0
    seconds: float = 0.0
    """Sum of the executions."""
    max_seconds: float = 0.0
    last_at: float = 0.0
    """In Unix time."""


class SlowStatements:
    """The last statements that were slow, without their parameters. Any thread may add one."""

    def __init__(self) -> None:
        self.count = 0
        """Number of executions that were slow."""
        self._statements: OrderedDict[str, SlowStatement] = OrderedDict()
        self._lock = new_shared_lock()

    def add(self, statement: str, seconds: float, operation: str) -> None:
        """Count an execution."""
        shape = _PARAMETERS.sub("(…)", statement)[:MAX_KEPT_CHARS]
        with self._lock:
            self.count += 1
            slow = self._statements.setdefault(shape, SlowStatement(shape, operation))
            self._statements.move_to_end(shape)
            slow.operation, slow.count, slow.last_at = operation, slow.count + 1, time.time()
            slow.seconds += seconds
            slow.max_seconds = max(slow.max_seconds, seconds)
            while len(self._statements) > MAX_SLOW_STATEMENTS:
                self._statements.popitem(last=False)

    def list(self) -> list[SlowStatement]:
        """Return copies of the statements."""
        with self._lock:
            return [replace(slow) for slow in self._statements.values()]


class StatementObserver:
    """Observes the statements of one or several engines. Statements end on any thread, also on native ones."""

    def __init__(self, settings: Settings) -> None:
        self._slow_seconds = settings.slow_query_ms / 1_000 or float("inf")
        self.seconds = Distribution()
        self.slow = SlowStatements()

    def observe(self, engine: Engine) -> None:
        """Observe an engine that was created with `cursor_arguments`."""

        @event.listens_for(engine, "connect")
        def attach(connection: Any, _record: object) -> None:
            connection.observer = self

    def add(self, statement: str, seconds: float) -> None:
        """Record a statement that has ended or failed."""
        self.seconds.add(seconds)
        if seconds > self._slow_seconds:
            operation, text = current_operation.get(), " ".join(statement.split())
            self.slow.add(text, seconds, operation)
            log.warning("slow query", seconds=round(seconds, 3), operation=operation, statement=text[:MAX_LOGGED_CHARS])


def cursor_arguments(*, is_sqlite: bool, key: bytes | None = None) -> dict[str, Any]:
    """Return the arguments of the driver's `connect` with which a `StatementObserver` can observe its cursors.

    SQLite's connections open a file that is encrypted with `key`, which the observer does not see.
    """
    if is_sqlite:
        return {"factory": sqlite.keyed_factory(_SqliteConnection, key)}
    return {"cursor_factory": _postgres_cursor()}


class _ObservedCursor:
    """Mixin of a driver's cursor. SQLAlchemy closes each cursor after the last row, and after an error."""

    _statement: str | None = None
    _seconds = 0.0

    def execute(self, statement: Any, *arguments: Any, **options: Any) -> Any:
        self._statement = statement
        return self._measure("execute", statement, *arguments, **options)

    def executemany(self, statement: Any, *arguments: Any, **options: Any) -> Any:
        self._statement = statement
        return self._measure("executemany", statement, *arguments, **options)

    def fetchone(self) -> Any:
        return self._measure("fetchone")

    def fetchmany(self, *arguments: Any) -> Any:
        return self._measure("fetchmany", *arguments)

    def fetchall(self) -> Any:
        return self._measure("fetchall")

    def close(self) -> None:
        observer: StatementObserver | None = getattr(self.connection, "observer", None)  # type: ignore[attr-defined]
        if observer is not None and self._statement is not None:
            observer.add(self._statement, self._seconds)
            self._statement = None
        super().close()  # type: ignore[misc]

    def _measure(self, method: str, *arguments: Any, **options: Any) -> Any:
        started = time.perf_counter()
        try:
            return getattr(super(), method)(*arguments, **options)
        finally:
            self._seconds += time.perf_counter() - started


class _SqliteCursor(_ObservedCursor, sqlite.Cursor):
    pass


class _SqliteConnection(sqlite.Connection):
    observer: StatementObserver | None = None

    def cursor(self, factory: Any = _SqliteCursor) -> Any:
        return super().cursor(factory)


@cache
def _postgres_cursor() -> type[Any]:
    # Imported here: the server sets a variable for it first, and SQLite does not need it.
    import psycopg

    return type("_PostgresCursor", (_ObservedCursor, psycopg.Cursor), {})
