"""The number of changes of people's names, by which cached pages and messages are validated.

Revision ID: 0026
Revises: 0025
"""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    """Add the column."""
    op.add_column("installation", sa.Column("people_version", sa.BigInteger(), server_default="0", nullable=False))


def downgrade() -> None:
    """Remove it."""
    op.drop_column("installation", "people_version")
