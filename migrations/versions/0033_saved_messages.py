"""Saved messages.

Revision ID: 0033
Revises: 0032
"""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "saved_messages",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("conversation_id", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("saved_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_saved_messages_user_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name="fk_saved_messages_conversation_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_saved_messages"),
        sa.UniqueConstraint("user_id", "conversation_id", "seq", name="uq_saved_messages_user_id_conversation_id_seq"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_saved_messages_conversation_id", "saved_messages", ["conversation_id"])
    op.create_index("ix_saved_messages_user_id_id", "saved_messages", ["user_id", "id"])


def downgrade() -> None:
    """Remove it."""
    op.drop_table("saved_messages")
