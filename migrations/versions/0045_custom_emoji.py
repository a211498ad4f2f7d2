"""Custom emoji, and reactions with their names.

Revision ID: 0045
Revises: 0044
"""

import sqlalchemy as sa
from alembic import op

revision = "0045"
down_revision = "0044"


def upgrade() -> None:
    """Create the table, and let reactions be longer."""
    op.create_table(
        "custom_emoji",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("media_type", sa.String(100), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("is_animated", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("created_by", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["created_by"], ["users.id"], name="fk_custom_emoji_created_by", ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("name", name="pk_custom_emoji"),
    )
    op.create_index("ix_custom_emoji_digest", "custom_emoji", ["digest"])
    op.create_index("ix_custom_emoji_created_by", "custom_emoji", ["created_by"])
    # PostgreSQL only changes its catalog. SQLite copies the table.
    with op.batch_alter_table("reactions") as batch:
        batch.alter_column("reaction", existing_type=sa.String(16), type_=sa.String(66), existing_nullable=False)


def downgrade() -> None:
    """Remove it, and reactions with custom emoji."""
    op.execute("DELETE FROM reactions WHERE reaction LIKE ':%'")
    with op.batch_alter_table("reactions") as batch:
        batch.alter_column("reaction", existing_type=sa.String(66), type_=sa.String(16), existing_nullable=False)
    op.drop_table("custom_emoji")
