"""Record up to which event cursors cannot be continued, because messages were restored.

Revision ID: 0021
Revises: 0020
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    """Add the column."""
    op.add_column("conversations", sa.Column("reset_event", sa.BigInteger(), server_default="0", nullable=False))


def downgrade() -> None:
    """Drop the column."""
    op.drop_column("conversations", "reset_event")
