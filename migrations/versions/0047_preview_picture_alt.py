"""Alternative texts of the pictures of link previews.

Revision ID: 0047
Revises: 0046
"""

import sqlalchemy as sa
from alembic import op

revision = "0047"
down_revision = "0046"


def upgrade() -> None:
    """Add the column."""
    column = sa.Column("picture_alt", sa.String(400), server_default=sa.text("''"), nullable=False)
    op.add_column("link_previews", column)


def downgrade() -> None:
    """Remove it."""
    op.drop_column("link_previews", "picture_alt")
