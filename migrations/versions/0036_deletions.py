"""The content of a deleted message, kept while the deletion can be undone.

Revision ID: 0036
Revises: 0035
"""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "deletions",
        sa.Column("message_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("removed", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name="fk_deletions_message_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_deletions_user_id", ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("message_id", name="pk_deletions"),
    )
    op.create_index("ix_deletions_user_id", "deletions", ["user_id"])


def downgrade() -> None:
    """Remove it."""
    op.drop_table("deletions")
