"""Scheduled messages.

Revision ID: 0032
Revises: 0031
"""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "scheduled_messages",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("conversation_id", sa.Integer(), nullable=True),
        sa.Column("client_id", sa.String(length=36), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("reply_to", sa.BigInteger(), nullable=True),
        sa.Column("thread_root", sa.BigInteger(), nullable=True),
        sa.Column("is_in_room", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("problem", sa.String(length=300), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_scheduled_messages_user_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversations.id"],
            name="fk_scheduled_messages_conversation_id",
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_scheduled_messages"),
        sa.UniqueConstraint("client_id", "user_id", name="uq_scheduled_messages_client_id_user_id"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_scheduled_messages_conversation_id_user_id", "scheduled_messages", ["conversation_id", "user_id"]
    )
    op.create_index("ix_scheduled_messages_user_id_due_at_id", "scheduled_messages", ["user_id", "due_at", "id"])
    op.create_index(
        "ix_scheduled_messages_due_at_id",
        "scheduled_messages",
        ["due_at", "id"],
        sqlite_where=sa.text("problem IS NULL"),
        postgresql_where=sa.text("problem IS NULL"),
    )


def downgrade() -> None:
    """Remove it. The messages in it are lost."""
    op.drop_table("scheduled_messages")
