"""The number of revoked login sessions and memberships.

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Begin to count."""
    op.add_column("installation", sa.Column("endings", sa.BigInteger(), server_default="0", nullable=False))


def downgrade() -> None:
    """Count no longer."""
    with op.batch_alter_table("installation") as installation:
        installation.drop_column("endings")
