"""The two databases of a copy: connections that lock out others, and what must be true of a source and a target."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Table, select, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from chatapp import sqlite
from chatapp.config import ROOT, Settings, name_driver
from chatapp.database_copy.progress import has_unfinished_copy
from chatapp.encryption.keys import DATABASE
from chatapp.errors import Conflict, Invalid
from chatapp.models import Base, Conversation, Installation
from chatapp.storage.engines import copying_engine
from chatapp.storage.foreign_keys import find_orphans
from chatapp.storage.schema import count_other_sessions, find_revision, newest_revision

TABLES: list[Table] = Base.metadata.sorted_tables
"""All tables, each after those that it refers to."""

SEEDED_TABLES = (Installation.__tablename__, Conversation.__tablename__)
"""Tables in which the migrations insert a row each."""

END_SECONDS = 3.0
"""Time within which the sessions of a program that was killed end."""

LOCK_MS = 5_000
"""How long the source on PostgreSQL may wait for the locks of its tables."""


def parse_url(value: str) -> URL:
    """Return the URL of a database. Raises `Invalid`."""
    try:
        url = make_url(name_driver(value))
    except (ArgumentError, ValueError) as error:
        raise Invalid(f"“{value.partition('@')[2] or value}” is not the URL of a database: {error}.") from None
    if not url.database:
        raise Invalid("The URL must name a database.")
    return url if url.get_backend_name() != "sqlite" else url.set(database=str(Path(url.database).absolute()))


def find_path(url: URL) -> Path | None:
    """Return the path of a SQLite database; None on PostgreSQL."""
    return Path(url.database or "") if url.get_backend_name() == "sqlite" else None


@contextmanager
def connect(settings: Settings, url: URL, *, is_locking: bool) -> Iterator[Connection]:
    """Connect to a database. With `is_locking`, its transactions on SQLite lock out other writers."""
    path, key = find_path(url), settings.derive_key(DATABASE)
    if path and path.exists() and path.stat().st_size and sqlite.is_plain(path):
        key = None
    with copying_engine(url, key, is_locking=is_locking).connect() as connection:
        yield connection


def lock_source(connection: Connection) -> None:
    """Let nobody else write to the source until the connection ends. Raises `Conflict` while others use it."""
    if connection.dialect.name == "sqlite":
        return  # The lock was taken by the first statement.
    require_unused(connection, "FROM")
    connection.rollback()
    read_snapshot(connection)
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_MS}ms'")
    connection.exec_driver_sql(f"LOCK TABLE {', '.join(table.name for table in TABLES)} IN SHARE MODE")


def read_snapshot(connection: Connection) -> None:
    """Let the next transaction read one state of the database, which SQLite gives every transaction."""
    if connection.dialect.name != "sqlite":
        connection.execution_options(isolation_level="REPEATABLE READ")


def require_unused(connection: Connection, name: str) -> None:
    """Raise `Conflict` if other programs are connected to a database on PostgreSQL."""
    if connection.dialect.name == "sqlite":
        return
    ends_at = time.monotonic() + END_SECONDS
    while others := count_other_sessions(connection):
        connection.rollback()
        if time.monotonic() > ends_at:
            raise Conflict(
                f"{name} is in use: {others} other sessions are connected to it. Stop all servers of chatapp and other "
                "programs that use it; see pg_stat_activity."
            )
        time.sleep(0.1)


def check_source(connection: Connection) -> None:
    """Raise `Invalid` if the database cannot be copied."""
    revision = find_revision(connection)
    if revision is None:
        raise Invalid("FROM is not a database of chatapp: it has no schema.")
    if revision != newest_revision():
        raise Invalid("The schema of FROM is not that of this version. Run `flask --app chatapp db upgrade` on it.")
    if has_unfinished_copy(connection):
        raise Invalid("FROM is an unfinished copy itself.")
    if orphans := find_orphans(connection):
        raise Invalid(
            f"FROM has rows of {orphans[0].table} that refer to missing {orphans[0].parent}. Run "
            "`flask --app chatapp check --repair` on it."
        )


def check_target(connection: Connection) -> bool:
    """Return whether the target has a schema. Raises `Invalid` and `Conflict` if it cannot receive a copy."""
    if connection.dialect.name != "sqlite":
        encoding = connection.execute(text("SHOW server_encoding")).scalar_one()
        if encoding != "UTF8":
            raise Invalid(f"TO stores text as {encoding}. Create the database with ENCODING 'UTF8'.")
    revision = find_revision(connection)
    if revision is not None and revision != newest_revision():
        raise Invalid("The schema of TO is not that of this version. Use an empty database.")
    if has_unfinished_copy(connection):
        return True
    if revision is not None and (filled := _list_filled(connection)):
        raise Conflict(f"TO has rows in {', '.join(filled)}. Use an empty database.")
    return revision is not None


def _list_filled(connection: Connection) -> list[str]:
    filled = [table.name for table in TABLES if connection.execute(select(1).select_from(table).limit(1)).first()]
    is_used = connection.execute(select(1).where(Conversation.last_event > 0).limit(1)).first() is not None
    return filled if is_used else [name for name in filled if name not in SEEDED_TABLES]


def create_schema(settings: Settings, url: URL) -> None:
    """Create the tables. Raises `Invalid`."""
    path = find_path(url)
    if path:
        path.touch(mode=0o600)
    environment = os.environ | {"DATABASE_URL": url.render_as_string(hide_password=False), "DATABASE_READ_URL": ""}
    # In a process of its own: it runs on the database of the settings.
    done = subprocess.run(
        [sys.executable, "-m", "flask", "--app", "chatapp", "db", "upgrade"],
        cwd=ROOT,
        env=environment | {"CHATAPP_DATA_DIR": str(settings.data_dir)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Invalid(f"The schema of TO cannot be created: {done.stderr.strip()[-1_000:]}")
