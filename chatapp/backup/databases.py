"""Consistent copies of the database while chatapp runs: SQLite's backup API, and PostgreSQL's `pg_dump`."""

import os
import re
import subprocess
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

import psycopg
from sqlalchemy.engine import URL, make_url

from chatapp import sqlite
from chatapp.config import Settings
from chatapp.errors import Conflict, Invalid

DROP_TABLES = """
DO $$ DECLARE name text; BEGIN
    FOR name IN SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname = 'public' LOOP
        EXECUTE 'DROP TABLE ' || name || ' CASCADE';
    END LOOP;
END $$
"""

COPY_END = b"\\.\n"
_COPY = re.compile(rb"COPY .+ FROM stdin;\n")
_RESTRICTION = re.compile(rb"\\(un)?restrict \w+\n")
"""A command by which `pg_dump` protects `psql` from other commands in its script."""


def find_sqlite_path(settings: Settings) -> Path | None:
    """Return the path of the SQLite database; None on PostgreSQL."""
    url = make_url(settings.sqlalchemy_url)
    return Path(url.database or "").absolute() if url.get_backend_name() == "sqlite" else None


def copy_sqlite(source: Path, target: Path) -> None:
    """Copy a database as it is at one moment. Others can write meanwhile. Raises `Invalid` if that is impossible."""
    target.touch(mode=0o600)
    try:
        with (
            closing(sqlite.connect(f"{source.as_uri()}?mode=rw", uri=True, timeout=30)) as database,
            closing(sqlite.connect(target)) as copy,
        ):
            # All pages in one step, which is one snapshot: in steps it would begin again after each write.
            database.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")
    except sqlite.Error as error:
        raise Invalid(f"{source} cannot be copied: {error}") from error


def check_sqlite(path: Path) -> None:
    """Raise `Invalid` if a copy is damaged."""
    try:
        with closing(sqlite.connect(path)) as database:
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
            with closing(sqlite.connect(copy)) as database:
                row = database.execute(query).fetchone()
        else:
            with psycopg.connect(_conninfo(settings), connect_timeout=10) as connection:
                row = connection.execute(query.encode()).fetchone()
    except (sqlite.Error, psycopg.Error) as error:
        raise Invalid(f"This is no database of chatapp: {error}".strip()) from error
    if row is None:
        raise Invalid("The database has no schema: run `flask db upgrade` first.")
    return str(row[0])


def has_users(settings: Settings) -> bool:
    """Return whether the database of the installation has accounts, or cannot be read. Raises `Invalid`."""
    path, query = find_sqlite_path(settings), "SELECT 1 FROM users LIMIT 1"
    try:
        if path is None:
            with psycopg.connect(_conninfo(settings), connect_timeout=10) as connection:
                return connection.execute(query.encode()).fetchone() is not None
        if not path.exists():
            return False
        with closing(sqlite.connect(path)) as database:
            return database.execute(query).fetchone() is not None
    except (psycopg.errors.UndefinedTable, sqlite.OperationalError):
        return False
    except sqlite.DatabaseError:
        return True
    except psycopg.Error as error:
        raise Invalid(f"The database does not respond: {error}".strip()) from error


def dump_postgres(settings: Settings, target: Path) -> None:
    """Write the statements that create the database. Raises `Invalid` and `Conflict`."""
    _check_version(settings)
    target.touch(mode=0o600)
    _run(settings, ["pg_dump", "--no-owner", "--no-privileges", f"--file={target}"])


def load_postgres(settings: Settings, script: Path, epoch: str) -> None:
    """Replace the database by what a script of `pg_dump` creates, in one transaction. Raises `Invalid`.

    `psql` would also run the shell commands of a script that somebody has changed.
    """
    try:
        with psycopg.connect(_conninfo(settings), connect_timeout=10) as connection, script.open("rb") as lines:
            connection.execute(DROP_TABLES)
            _run_script(connection.cursor(), lines)
            connection.execute("UPDATE public.installation SET epoch = %s", [epoch])
    except psycopg.Error as error:
        raise Invalid(f"The database in the backup cannot be restored: {error}".strip()) from error


def _run_script(cursor: psycopg.Cursor, lines: BinaryIO) -> None:
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
        with psycopg.connect(_conninfo(settings), connect_timeout=10) as connection:
            needed = connection.info.server_version // 10_000
    except psycopg.Error as error:
        raise Invalid(f"The database does not respond: {error}".strip()) from error
    if version < needed:
        raise Conflict(
            f"pg_dump has version {version}, and the server has version {needed}: put the programs of PostgreSQL "
            f"{needed} or later first in PATH."
        )


def _run(settings: Settings, command: Sequence[str], *, with_database: bool = True) -> str:
    """Run a program of PostgreSQL. The password is in its environment, where other users do not see it."""
    url = make_url(settings.sqlalchemy_url)
    environment = os.environ | ({"PGPASSWORD": str(url.password)} if url.password else {})
    arguments = [*command, f"--dbname={_without_password(url)}"] if with_database else list(command)
    try:
        done = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    except FileNotFoundError:
        raise Conflict(
            f"{command[0]} is not installed: install the client programs of PostgreSQL, and put them in PATH."
        ) from None
    if done.returncode:
        raise Invalid(f"{command[0]} failed: {done.stderr.strip()[-500:]}")
    return done.stdout


def _without_password(url: URL) -> str:
    return URL.create("postgresql", url.username, None, url.host, url.port, url.database, url.query).render_as_string()


def _conninfo(settings: Settings) -> str:
    return make_url(settings.sqlalchemy_url).set(drivername="postgresql").render_as_string(hide_password=False)
