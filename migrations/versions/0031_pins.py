"""Pinned messages.

Revision ID: 0031
Revises: 0030
"""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "pins",
        sa.Column("message_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("conversation_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("pinned_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name="fk_pins_message_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name="fk_pins_conversation_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_pins_user_id", ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("message_id", name="pk_pins"),
    )
    op.create_index("ix_pins_conversation_id_pinned_at", "pins", ["conversation_id", "pinned_at"])
    op.create_index("ix_pins_user_id", "pins", ["user_id"])


def downgrade() -> None:
    """Remove it."""
    op.drop_table("pins")
