"""Consistent copies of the database while chatapp runs: SQLite's backup API, and PostgreSQL's `pg_dump`."""

import io
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, cast

import psycopg
from sqlalchemy.engine import URL, make_url

from chatapp import sqlite
from chatapp.backup.files import find_sqlite_path
from chatapp.config import Settings
from chatapp.encryption.keys import BACKUP, DATABASE
from chatapp.encryption.streams import Undecryptable, encrypting, open_decrypted
from chatapp.errors import Conflict, Invalid
from chatapp.models.file_references import FILE_REFERENCES
from chatapp.postgresql import is_pooled

DROP_TABLES = """
DO $$ DECLARE name text; BEGIN
    FOR name IN SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname = 'public' LOOP
        EXECUTE 'DROP TABLE ' || name || ' CASCADE';
    END LOOP;
END $$
"""

SQLITE_COLUMNS = (
    "SELECT tables.name, columns.name FROM sqlite_schema AS tables, pragma_table_xinfo(tables.name) AS columns"
)
POSTGRESQL_COLUMNS = (
    "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = current_schema()"
)

COPY_END = b"\\.\n"
_COPY = re.compile(rb"COPY .+ FROM stdin;\n")
_RESTRICTION = re.compile(rb"\\(un)?restrict \w+\n")
"""A command by which `pg_dump` protects `psql` from other commands in its script."""


def copy_sqlite(source: Path, target: Path, key: bytes | None = None) -> None:
    """Copy a database as it is at one moment. Others can write meanwhile. Raises `Invalid` if that is impossible.

    With a key, the copy is encrypted as the database is.
    """
    target.touch(mode=0o600)
    try:
        with (
            closing(sqlite.connect(f"{source.as_uri()}?mode=rw", key, uri=True, timeout=30)) as database,
            closing(sqlite.connect(target, key)) as copy,
        ):
            # All pages in one step, which is one snapshot: in steps it would begin again after each write.
            database.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")
    except sqlite.Error as error:
        raise Invalid(f"{source} cannot be copied: {error}") from error


def remove_deleted_texts(copy: Path, key: bytes | None = None) -> None:
    """Remove what deletions have removed, and what can be restored for some seconds only, from a copy."""
    with closing(sqlite.connect(copy, key)) as database:
        if database.execute("SELECT 1 FROM sqlite_master WHERE name = 'deletions'").fetchone():
            database.execute("PRAGMA secure_delete = ON")
            database.execute("DELETE FROM deletions")
            database.commit()


def check_sqlite(path: Path, key: bytes | None = None) -> None:
    """Raise `Invalid` if a copy is damaged."""
    try:
        with closing(sqlite.connect(path, key)) as database:
            problems = [row[0] for row in database.execute("PRAGMA integrity_check(3)")]
    except sqlite.Error as error:
        problems = [str(error)]
    if problems != ["ok"]:
        raise Invalid(f"The database in the backup is damaged: {'; '.join(problems)}")


def read_revision(settings: Settings, copy: Path) -> str:
    """Return the revision of the schema: on SQLite that of `copy`. Raises `Invalid` if there is none."""
    query = "SELECT version_num FROM alembic_version"
    try:
        if find_sqlite_path(settings):
            with closing(sqlite.connect(copy, settings.derive_key(DATABASE))) as database:
                row = database.execute(query).fetchone()
        else:
            with psycopg.connect(_conninfo(settings), connect_timeout=10) as connection:
                row = connection.execute(query.encode()).fetchone()
    except (sqlite.Error, psycopg.Error) as error:
        raise Invalid(f"This is no database of chatapp: {error}".strip()) from error
    if row is None:
        raise Invalid("The database has no schema: run `flask db upgrade` first.")
    return str(row[0])


def list_digests(settings: Settings, copy: Path) -> set[str]:
    """Return the digests of all files that rows refer to: on SQLite those of `copy`. Raises `Invalid`."""
    try:
        if find_sqlite_path(settings):
            with closing(sqlite.connect(copy, settings.derive_key(DATABASE))) as database:
                return _collect_digests(database.execute, SQLITE_COLUMNS)
        with psycopg.connect(_conninfo(settings), connect_timeout=10) as connection:
            return _collect_digests(lambda query: connection.execute(query.encode()), POSTGRESQL_COLUMNS)
    except (sqlite.Error, psycopg.Error) as error:
        raise Invalid(f"The files of messages cannot be listed: {error}".strip()) from error


def _collect_digests(execute: Callable[[str], Iterable[tuple[str, ...]]], columns_query: str) -> set[str]:
    digests: set[str] = set()
    existing = set(execute(columns_query))
    for reference in FILE_REFERENCES:
        column = reference.digest.property.columns[0]
        # The schema of a database that is not upgraded yet has only some of the columns.
        if (column.table.name, column.name) in existing:
            query = f"SELECT DISTINCT {column.name} FROM {column.table.name} WHERE {column.name} IS NOT NULL"  # noqa: S608 - of models
            digests.update(digest for (digest,) in execute(query))
    return digests


def has_users(settings: Settings) -> bool:
    """Return whether the database of the installation has accounts, or cannot be read. Raises `Invalid`."""
    path, query = find_sqlite_path(settings), "SELECT 1 FROM users LIMIT 1"
    try:
        if path is None:
            with psycopg.connect(_conninfo(settings), connect_timeout=10) as connection:
                return connection.execute(query.encode()).fetchone() is not None
        if not path.exists():
            return False
        key = None if sqlite.is_plain(path) else settings.derive_key(DATABASE)
        with closing(sqlite.connect(path, key)) as database:
            return database.execute(query).fetchone() is not None
    except (psycopg.errors.UndefinedTable, sqlite.OperationalError):
        return False
    except sqlite.DatabaseError:
        return True
    except psycopg.Error as error:
        raise Invalid(f"The database does not respond: {error}".strip()) from error


def dump_postgres(settings: Settings, target: Path) -> None:
    """Write the statements that create the database; encrypted if there is a key. Raises `Invalid` and `Conflict`.

    What deletions have removed, and what can be restored for some seconds only, is left out.
    """
    _check_version(settings)
    target.touch(mode=0o600)
    with target.open("wb") as file, encrypting(file, settings.derive_key(BACKUP)) as output:
        _run(settings, ["pg_dump", "--no-owner", "--no-privileges", "--exclude-table-data=deletions"], output=output)


def load_postgres(settings: Settings, script: Path, epoch: str) -> None:
    """Replace the database by what a script of `pg_dump` creates, in one transaction. Raises `Invalid`.

    `psql` would also run the shell commands of a script that somebody has changed.
    """
    try:
        with (
            _connect_directly(settings) as connection,
            open_decrypted(script, settings.derive_key(BACKUP)) as lines,
        ):
            connection.execute(DROP_TABLES)
            _run_script(connection.cursor(), lines)
            connection.execute("UPDATE public.installation SET epoch = %s", [epoch])
    except (psycopg.Error, Undecryptable) as error:
        raise Invalid(f"The database in the backup cannot be restored: {error}".strip()) from error


def _run_script(cursor: psycopg.Cursor, lines: IO[bytes]) -> None:
    """Send the statements of a script to the server, and the rows that follow a `COPY` as its data."""
    statements: list[bytes] = []
    for line in lines:
        if _COPY.fullmatch(line):
            cursor.execute(b"".join(statements))
            statements = []
            with cursor.copy(line) as copy:
                for row in iter(lines.readline, b""):
                    if row == COPY_END:
                        break
                    copy.write(row)
        elif not _RESTRICTION.fullmatch(line):
            statements.append(line)
    cursor.execute(b"".join(statements))


def _check_version(settings: Settings) -> None:
    printed = _run(settings, ["pg_dump", "--version"], with_database=False)
    found = re.search(r"\d+", printed)
    version = int(found[0]) if found else 0
    try:
        with _connect_directly(settings) as connection:
            needed = connection.info.server_version // 10_000
    except psycopg.Error as error:
        raise Invalid(f"The database does not respond: {error}".strip()) from error
    if version < needed:
        raise Conflict(
            f"pg_dump has version {version}, and the server has version {needed}: put the programs of PostgreSQL "
            f"{needed} or later first in PATH."
        )


def _connect_directly(settings: Settings) -> psycopg.Connection:
    """Connect. Raises `Conflict` behind a pooler: what dumps change in their session would remain for other clients."""
    connection = psycopg.connect(_conninfo(settings), connect_timeout=10)
    if is_pooled(connection):
        connection.close()
        raise Conflict(
            "DATABASE_URL leads to a connection pooler. Run the command with the DATABASE_URL of PostgreSQL itself."
        )
    return connection


def _run(
    settings: Settings,
    command: Sequence[str],
    *,
    with_database: bool = True,
    output: IO[bytes] | None = None,
) -> str:
    """Run a program of PostgreSQL, and return what it prints unless that is written to `output`.

    The password is in its environment, where other users do not see it.
    """
    url = make_url(settings.sqlalchemy_url)
    environment = os.environ | ({"PGPASSWORD": str(url.password)} if url.password else {})
    arguments = [*command, f"--dbname={_without_password(url)}"] if with_database else list(command)
    with TemporaryFile() as errors:
        try:
            process = subprocess.Popen(  # noqa: S603 - the arguments are chatapp's own
                arguments, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors
            )
        except FileNotFoundError:
            raise Conflict(
                f"{command[0]} is not installed: install the client programs of PostgreSQL, and put them in PATH."
            ) from None
        printed = io.BytesIO()
        with process:
            shutil.copyfileobj(cast("IO[bytes]", process.stdout), output or printed)
        if process.returncode:
            errors.seek(0)
            raise Invalid(f"{command[0]} failed: {errors.read().decode(errors='replace').strip()[-500:]}")
        return printed.getvalue().decode()


def _without_password(url: URL) -> str:
    return URL.create("postgresql", url.username, None, url.host, url.port, url.database, url.query).render_as_string()


def _conninfo(settings: Settings) -> str:
    return make_url(settings.sqlalchemy_url).set(drivername="postgresql").render_as_string(hide_password=False)
