"""Files of scheduled messages.

Revision ID: 0046
Revises: 0045
"""

import sqlalchemy as sa
from alembic import op

revision = "0046"
down_revision = "0045"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "scheduled_files",
        sa.Column("scheduled_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("media_type", sa.String(100), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("is_animated", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("placeholder", sa.String(2_000), nullable=True),
        sa.Column("preview", sa.Text(), nullable=True),
        sa.Column("alt", sa.String(1_000), nullable=False),
        sa.ForeignKeyConstraint(
            ["scheduled_id"], ["scheduled_messages.id"], name="fk_scheduled_files_scheduled_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("scheduled_id", "position", name="pk_scheduled_files"),
        sa.CheckConstraint(
            "kind IN ('image', 'video', 'audio', 'pdf', 'text', 'other')", name="ck_scheduled_files_kind"
        ),
    )
    op.create_index("ix_scheduled_files_digest", "scheduled_files", ["digest"])


def downgrade() -> None:
    """Remove it. Scheduled messages lose their files, and those without a text are removed."""
    op.execute("DELETE FROM scheduled_messages WHERE content = ''")
    op.drop_table("scheduled_files")
