"""Templates of assistant sessions, and the prompts that sessions began with.

Revision ID: 0024
Revises: 0023
"""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    """Create the table and the column."""
    op.create_table(
        "session_templates",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=True),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("assistant", sa.String(32), nullable=True),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.Column("messages", sa.JSON(), nullable=False),
        sa.Column("category", sa.String(40), nullable=False),
        sa.Column("tags", sa.String(400), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name="fk_session_templates_owner_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_session_templates"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_session_templates_owner_id", "session_templates", ["owner_id"])
    op.add_column("conversations", sa.Column("prompt", sa.Text(), nullable=True))


def downgrade() -> None:
    """Remove them."""
    op.drop_column("conversations", "prompt")
    op.drop_table("session_templates")
