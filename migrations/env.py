"""Run migrations in one transaction, on the engine for migrations."""

import sys
from collections import Counter

from alembic import context
from alembic.script.revision import RevisionError
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from chatapp.config import current_settings
from chatapp.models import Base
from chatapp.search.index import TABLE as SEARCH_INDEX
from chatapp.storage.engines import migration_engine
from chatapp.storage.schema import check_locking_time

LOCK_NOT_AVAILABLE = "55P03"
"""The SQLSTATE of a statement that has waited longer than `lock_timeout`."""


def count_orphans(connection: Connection) -> Counter[tuple[str, str]]:
    """Return the number of rows that refer to missing rows, by table and parent. PostgreSQL has none."""
    if connection.dialect.name != "sqlite":
        return Counter()
    rows = connection.execute(text("PRAGMA foreign_key_check"))
    return Counter((table, parent) for table, _, parent, _ in rows)


def list_pending() -> list[object]:
    """Return the migrations that this upgrade applies; none for other commands."""
    try:
        target = context.get_revision_argument()
    except KeyError:
        return []  # The command applies none.
    current = context.get_context().get_current_heads()
    try:
        return [script.module for script in context.script.iterate_revisions(target, current or "base")]
    except RevisionError:
        return []  # A downgrade.


def migrate(connection: Connection) -> None:
    """Run the requested migrations, then check that they have not broken foreign keys.

    Orphans that another program has left do not prevent a start: the server repairs them with the current schema.
    """
    applied: list[object] = []
    context.configure(
        connection=connection,
        on_version_apply=lambda **version: applied.append(version),
        target_metadata=Base.metadata,
        compare_type=True,
        compare_server_default=True,
        # The models do not know the search index, which differs between the databases.
        include_name=lambda name, kind, _parents: kind != "table" or not (name or "").startswith(SEARCH_INDEX),
        render_as_batch=connection.dialect.name == "sqlite",
    )
    with context.begin_transaction():
        if connection.dialect.name == "postgresql":
            # Simultaneous migrations take turns, as they do on SQLite with BEGIN IMMEDIATE.
            connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('chatapp.migrations'))"))
            # A lock that is waited for holds up everybody else who needs the table.
            milliseconds = round(current_settings().lock_timeout_seconds * 1_000)
            connection.execute(text(f"SET LOCAL lock_timeout = {milliseconds}"))
        check_locking_time(connection, list_pending(), allowed_seconds=current_settings().migration_lock_seconds)
        # Counting reads all rows: not at a start that has nothing to migrate.
        is_current = set(context.get_context().get_current_heads()) == set(context.script.get_heads())
        before = Counter() if is_current else count_orphans(connection)
        context.run_migrations()
        if applied and (broken := count_orphans(connection) - before):
            raise RuntimeError(f"the migration violates foreign keys: {dict(broken)}")


with migration_engine(current_settings()).connect() as connection:
    try:
        migrate(connection)
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != LOCK_NOT_AVAILABLE:
            raise
        sys.exit(
            "The upgrade has changed nothing: another session holds a lock, longer than CHATAPP_LOCK_TIMEOUT_SECONDS. "
            "Repeat it when that session has ended; see pg_stat_activity."
        )
