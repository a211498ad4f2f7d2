"""Run migrations in one transaction, on the engine for migrations."""

from alembic import context
from sqlalchemy import Connection, text

from chatapp.config import current_settings
from chatapp.models import Base
from chatapp.storage.engines import migration_engine


def migrate(connection: Connection) -> None:
    """Run the requested migrations, then check foreign keys on SQLite."""
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        compare_type=True,
        compare_server_default=True,
        render_as_batch=connection.dialect.name == "sqlite",
    )
    with context.begin_transaction():
        if connection.dialect.name == "postgresql":
            # Simultaneous migrations take turns, as they do on SQLite with BEGIN IMMEDIATE.
            connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('chatapp.migrations'))"))
        context.run_migrations()
        if connection.dialect.name == "sqlite" and (
            broken := connection.execute(text("PRAGMA foreign_key_check")).all()
        ):
            raise RuntimeError(f"foreign keys are violated: {broken[:5]}")


with migration_engine(current_settings()).connect() as connection:
    migrate(connection)
