"""Files of messages.

Revision ID: 0042
Revises: 0041
"""

import sqlalchemy as sa
from alembic import op

revision = "0042"
down_revision = "0041"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "attachments",
        sa.Column("message_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("conversation_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
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
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name="fk_attachments_message_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name="fk_attachments_conversation_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_attachments_user_id", ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("message_id", "position", name="pk_attachments"),
        sa.CheckConstraint("kind IN ('image', 'video', 'audio', 'pdf', 'text', 'other')", name="ck_attachments_kind"),
    )
    op.create_index("ix_attachments_digest", "attachments", ["digest"])
    op.create_index("ix_attachments_conversation_id_digest", "attachments", ["conversation_id", "digest"])
    op.create_index("ix_attachments_conversation_id_message_id", "attachments", ["conversation_id", "message_id"])
    op.create_index("ix_attachments_user_id_size", "attachments", ["user_id", "size"])


def downgrade() -> None:
    """Remove it."""
    op.drop_table("attachments")
