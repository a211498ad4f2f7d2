"""The revision of the schema that a database has, and that chatapp needs."""

from sqlalchemy import Connection, inspect, text

from chatapp.config import ROOT


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
