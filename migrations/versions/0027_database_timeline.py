"""The timeline of PostgreSQL that the event numbers were assigned on, by which a promoted replica is detected.

Revision ID: 0027
Revises: 0026
"""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    """Add the column."""
    op.add_column("installation", sa.Column("database_timeline", sa.String(32)))


def downgrade() -> None:
    """Remove it."""
    op.drop_column("installation", "database_timeline")
