"""What users set for conversations: notification level, mute, favorite.

Revision ID: 0028
Revises: 0027
"""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "conversation_preferences",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("conversation_id", sa.Integer(), nullable=False),
        sa.Column("notification_level", sa.String(16), nullable=True),
        sa.Column("is_muted", sa.Boolean(), nullable=False),
        sa.Column("is_favorite", sa.Boolean(), nullable=False),
        sa.CheckConstraint("notification_level IN ('all', 'mentions', 'nothing')", name="notification_level"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_conversation_preferences_user_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversations.id"],
            name="fk_conversation_preferences_conversation_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("user_id", "conversation_id", name="pk_conversation_preferences"),
    )
    op.create_index("ix_conversation_preferences_conversation_id", "conversation_preferences", ["conversation_id"])


def downgrade() -> None:
    """Remove it."""
    op.drop_table("conversation_preferences")
