"""How Alembic reaches the database: one transaction, on an engine made for migrations."""

from alembic import context
from sqlalchemy import Connection, text

from chatapp.config import current_settings
from chatapp.models import Base
from chatapp.storage.engines import migration_engine


def migrate(connection: Connection) -> None:
    """Run what was asked for, and check on SQLite that no row points into the void afterwards."""
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        compare_type=True,
        compare_server_default=True,
        render_as_batch=connection.dialect.name == "sqlite",
    )
    with context.begin_transaction():
        if connection.dialect.name == "postgresql":
            # Two that start at once take turns, as BEGIN IMMEDIATE makes them do on SQLite.
            connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('chatapp.migrations'))"))
        context.run_migrations()
        if connection.dialect.name == "sqlite" and (
            broken := connection.execute(text("PRAGMA foreign_key_check")).all()
        ):
            raise RuntimeError(f"foreign keys point at nothing: {broken[:5]}")


with migration_engine(current_settings()).connect() as connection:
    migrate(connection)
