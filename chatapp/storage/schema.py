"""The revision of the schema that a database has, and how long an upgrade locks the messages."""

import sys
from collections.abc import Iterable

import click
from sqlalchemy import Connection, inspect, text

from chatapp.config import ROOT

LOCKING_TIME = "SECONDS_PER_MILLION_MESSAGES"
"""Name in a migration that reads or changes all messages: the time for a million of them, by kind of database."""

_OTHER_SESSIONS = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    # Roles without privileges do not see the type. Processes of PostgreSQL itself have no user.
    " AND usesysid IS NOT NULL AND coalesce(backend_type, 'client backend') = 'client backend'"
)


def find_revision(connection: Connection) -> str | None:
    """Return the revision that a database has; None if it has no schema."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revisions = connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all()
    return revisions[0] if len(revisions) == 1 else None


def newest_revision() -> str:
    """Return the newest revision of the schema, with which the name of its file begins.

    Alembic would import all migrations, which takes as long as a quarter of the start.
    """
    return max(path.name for path in (ROOT / "migrations" / "versions").glob("*.py")).partition("_")[0]


def count_other_sessions(connection: Connection) -> int:
    """Return the number of other programs' connections to a database on PostgreSQL."""
    return int(connection.execute(_OTHER_SESSIONS).scalar_one())


def check_locking_time(connection: Connection, migrations: Iterable[object], *, allowed_seconds: float) -> None:
    """Print how long the migrations lock the messages, if it is long, and ask if other programs use the database.

    Exits if the answer is no, or if it takes longer than allowed and nobody can be asked. Migrations are one
    transaction: what one locks stays locked until the last one has ended.
    """
    is_empty = not inspect(connection).has_table("messages")
    # Counting would take as long as some migrations.
    messages = 0 if is_empty else connection.execute(text("SELECT coalesce(max(id), 0) FROM messages")).scalar_one()
    times = (getattr(migration, LOCKING_TIME, {}).get(connection.dialect.name, 0.0) for migration in migrations)
    seconds = sum(times) * messages / 1_000_000
    if seconds < 1:
        return
    duration = f"about {seconds:,.0f} seconds"
    click.echo(f"Upgrading {messages:,} messages takes {duration}, in which nobody can post.", err=True)
    # SQLite is used by one server, which is not running.
    if connection.dialect.name == "sqlite" or not count_other_sessions(connection) or seconds <= allowed_seconds:
        return
    if sys.stdin.isatty():
        click.confirm("Other programs use the database. Continue?", abort=True, err=True)
        return
    sys.exit(
        "Other programs use the database. Stop them, or run `flask --app chatapp db upgrade` in a terminal and "
        f"confirm, or allow it with CHATAPP_MIGRATION_LOCK_SECONDS={seconds:.0f}."
    )
