"""Rename the count of revoked login sessions and memberships.

Revision ID: 0010
Revises: 0009
"""

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Rename `endings` to `revocations`."""
    with op.batch_alter_table("installation") as installation:
        installation.alter_column("endings", new_column_name="revocations")


def downgrade() -> None:
    """Restore the former name."""
    with op.batch_alter_table("installation") as installation:
        installation.alter_column("revocations", new_column_name="endings")
