"""Reactions.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the table of reactions."""
    op.create_table(
        "reactions",
        sa.Column("message_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("reaction", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name="fk_reactions_message_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_reactions_user_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("message_id", "user_id", "reaction", name="pk_reactions"),
    )
    op.create_index("ix_reactions_user_id", "reactions", ["user_id"])


def downgrade() -> None:
    """Drop it."""
    op.drop_table("reactions")
