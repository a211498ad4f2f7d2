"""Copying all rows in batches, and comparing them.

A batch and the progress are one transaction of the target, so a copy that was interrupted continues after the last
batch. The source is locked during all of it.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, delete, func, select, text, tuple_

from chatapp.database_copy import progress as progress_table
from chatapp.database_copy.databases import TABLES
from chatapp.database_copy.progress import Progress, SourceState
from chatapp.database_copy.values import Checksum, DoesNotFit, Misfit, TableValues, Value, sqlite_value
from chatapp.errors import Conflict, Invalid
from chatapp.failpoints import failpoint
from chatapp.search import index as search_index

BATCH_ROWS = 500
"""Rows that are in memory at a time."""

MAX_MISFITS = 1_000

Advance = Callable[[int], object]
"""Receives the number of rows that were processed since the last call."""


def count_rows(connection: Connection) -> dict[str, int]:
    """Return the number of rows of each table."""
    return {table.name: connection.execute(select(func.count()).select_from(table)).scalar_one() for table in TABLES}


def find_misfits(source: Connection, advance: Advance) -> tuple[Sequence[Misfit], int]:
    """Return values that PostgreSQL cannot store, at most `MAX_MISFITS` of them, and the number of rows with such."""
    misfits: list[Misfit] = []
    rows_affected = 0
    for values in map(TableValues, TABLES):
        for rows in _read(source, values):
            for row in rows:
                try:
                    values.normalise(row)
                except DoesNotFit as error:
                    misfits += error.misfits[: MAX_MISFITS - len(misfits)]
                    rows_affected += 1
            advance(len(rows))
    return misfits, rows_affected


def prepare(source: Connection, target: Connection, *, restart: bool) -> Progress:
    """Return the progress of the copy, which begins or continues. Raises `Conflict` if it is of another source."""
    state = SourceState.read(source)
    is_new = not progress_table.has_unfinished_copy(target)
    if not is_new and not restart:
        progress = progress_table.load(target)
        if progress.source.epoch != state.epoch:
            raise Conflict("TO has an unfinished copy of another installation. Use --restart to replace it.")
        if progress.source != state:
            raise Conflict("FROM has changed since the copy began. Use --restart to begin again.")
        return progress
    if not is_new:
        progress_table.end(target)
    for table in reversed(TABLES):
        target.execute(delete(table))  # Also the rows that the migrations insert.
    progress = Progress(state)
    progress_table.begin(target, progress)
    target.commit()
    return progress


def copy_rows(source: Connection, target: Connection, progress: Progress, advance: Advance) -> None:
    """Copy the rows that are missing, and the last ids. Raises `DoesNotFit`."""
    for values in map(TableValues, TABLES):
        name = values.table.name
        for rows in _read(source, values, progress.positions.get(name)):
            progress.advance(name, values.key(rows[-1]), len(rows))
            progress_table.save(target, progress)
            _insert(target, values, [values.normalise(row) for row in rows])
            target.commit()
            failpoint("copied-batch")
            advance(len(rows))
    _copy_last_ids(source, target)
    target.commit()


def compare(source: Connection, target: Connection, advance: Advance) -> str:
    """Compare the number and the checksum of the rows of each table, and return the checksum of all.

    Raises `Invalid`.
    """
    total, differences = Checksum(), []
    for values in map(TableValues, TABLES):
        original, copy = (_sum(each, values, advance) for each in (source, target))
        if original.count != copy.count:
            differences.append(f"{values.table.name} ({original.count:,} rows in FROM, {copy.count:,} in TO)")
        elif original.hexdigest() != copy.hexdigest():
            differences.append(f"{values.table.name} (other values)")
        total.add([(values.table.name, original.count, original.hexdigest())])
    if differences:
        raise Invalid(f"The copy differs from FROM: {', '.join(differences)}. Use --restart to copy again.")
    return total.hexdigest()


def finish(target: Connection) -> None:
    """Mark the copy as complete."""
    target.rollback()
    search_index.reset(target)  # The server fills it.
    progress_table.end(target)
    target.commit()
    if target.dialect.name == "sqlite":
        return
    target.execution_options(isolation_level="AUTOCOMMIT")
    target.execute(text("ANALYZE"))  # Otherwise the first queries are planned as if the tables were empty.


def _sum(connection: Connection, values: TableValues, advance: Advance) -> Checksum:
    checksum = Checksum()
    for rows in _read(connection, values):
        checksum.add(map(values.normalise, rows))
        advance(len(rows))
    return checksum


def _read(
    connection: Connection, values: TableValues, after: Sequence[Any] | None = None
) -> Iterator[Sequence[Sequence[Any]]]:
    """Yield the rows of a table in batches, in the order of the primary key, from a cursor of the server."""
    key = list(values.table.primary_key)
    query = select(*values.columns(connection.dialect.name)).select_from(values.table).order_by(*key)
    if after is not None:
        query = query.where(tuple_(*key) > tuple_(*after))
    with connection.execute(query.execution_options(stream_results=True, yield_per=BATCH_ROWS)) as result:
        yield from result.partitions()


def _insert(connection: Connection, values: TableValues, rows: Sequence[tuple[Value, ...]]) -> None:
    quote = connection.dialect.identifier_preparer.quote
    into = f"{quote(values.table.name)} ({', '.join(quote(column.name) for column in values.table.columns)})"
    if connection.dialect.name == "sqlite":
        marks = ", ".join("?" for _ in values.table.columns)
        statement = f"INSERT INTO {into} VALUES ({marks})"  # noqa: S608 - names of the models
        connection.exec_driver_sql(statement, [tuple(map(sqlite_value, row)) for row in rows])
        return
    driver: Any = connection.connection.dbapi_connection
    # Its errors are the driver's own, not those of SQLAlchemy.
    with driver.cursor() as cursor, cursor.copy(f"COPY {into} FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def _copy_last_ids(source: Connection, target: Connection) -> None:
    """Let the target generate only ids that the source has never generated, also for rows that were deleted."""
    last_ids = _read_last_ids(source)
    for table in TABLES:
        column = table.autoincrement_column
        if column is None:
            continue
        highest = target.execute(select(func.coalesce(func.max(column), 0))).scalar_one()
        last = max(highest, last_ids.get(table.name, 0))
        if target.dialect.name == "postgresql":
            sequence = func.pg_get_serial_sequence(table.name, column.name)
            target.execute(select(func.setval(sequence, max(last, 1), last > 0)))
        elif table.dialect_options["sqlite"]["autoincrement"]:
            target.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), {"name": table.name})
            target.execute(
                text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :last)"),
                {"name": table.name, "last": last},
            )


def _read_last_ids(connection: Connection) -> dict[str, int]:
    """Return the last id that was generated for each table."""
    if connection.dialect.name == "sqlite":
        return {row.name: row.seq for row in connection.execute(text("SELECT name, seq FROM sqlite_sequence"))}
    last_ids = {}
    for table in TABLES:
        if table.autoincrement_column is not None:
            sequence = func.pg_get_serial_sequence(table.name, table.autoincrement_column.name)
            name = connection.execute(select(sequence)).scalar_one()
            last_ids[table.name] = connection.exec_driver_sql(
                f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {name}"  # noqa: S608 - a quoted name
            ).scalar_one()
    return last_ids
