"""Pictures of people, rooms and assistants.

Revision ID: 0044
Revises: 0043
"""

import sqlalchemy as sa
from alembic import op

revision = "0044"
down_revision = "0043"

TABLES = ("users", "conversations")


def upgrade() -> None:
    """Add the columns."""
    for table in TABLES:
        op.add_column(table, sa.Column("avatar_digest", sa.String(64), nullable=True))
        op.create_index(f"ix_{table}_avatar_digest", table, ["avatar_digest"])


def downgrade() -> None:
    """Remove them."""
    for table in reversed(TABLES):
        op.drop_index(f"ix_{table}_avatar_digest", table)
        op.drop_column(table, "avatar_digest")
