"""Incoming webhooks, and messages of bots.

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Make the table of incoming webhooks, and room for the name of who said something."""
    op.create_table(
        "incoming_webhooks",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("conversation_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name="fk_incoming_webhooks_conversation_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_incoming_webhooks"),
        sa.UniqueConstraint("token_hash", name="uq_incoming_webhooks_token_hash"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_incoming_webhooks_conversation_id", "incoming_webhooks", ["conversation_id"])
    op.add_column("messages", sa.Column("sender_name", sa.String(length=64), nullable=True))


def downgrade() -> None:
    """Drop them."""
    op.drop_column("messages", "sender_name")
    op.drop_table("incoming_webhooks")
