"""Previews of links in messages.

Revision ID: 0043
Revises: 0042
"""

import sqlalchemy as sa
from alembic import op

revision = "0043"
down_revision = "0042"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "link_previews",
        sa.Column("message_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("conversation_id", sa.Integer(), nullable=False),
        sa.Column("url", sa.String(2_000), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("description", sa.String(400), nullable=False),
        sa.Column("site", sa.String(100), nullable=False),
        sa.Column("picture_digest", sa.String(64), nullable=True),
        sa.Column("picture_width", sa.Integer(), nullable=True),
        sa.Column("picture_height", sa.Integer(), nullable=True),
        sa.Column("picture_placeholder", sa.String(2_000), nullable=True),
        sa.ForeignKeyConstraint(
            ["message_id"], ["messages.id"], name="fk_link_previews_message_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name="fk_link_previews_conversation_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("message_id", "position", name="pk_link_previews"),
    )
    op.create_index("ix_link_previews_picture_digest", "link_previews", ["picture_digest"])
    op.create_index(
        "ix_link_previews_conversation_id_picture_digest", "link_previews", ["conversation_id", "picture_digest"]
    )


def downgrade() -> None:
    """Remove it."""
    op.drop_table("link_previews")
