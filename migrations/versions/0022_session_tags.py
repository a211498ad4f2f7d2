"""Tags, categories and pins of assistant sessions.

Revision ID: 0022
Revises: 0021
"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """Add the columns."""
    op.add_column("conversations", sa.Column("category", sa.String(40), nullable=True))
    op.add_column("conversations", sa.Column("tags", sa.String(400), nullable=True))
    op.add_column("conversations", sa.Column("pinned_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    """Remove them."""
    for name in ("pinned_at", "tags", "category"):
        op.drop_column("conversations", name)
