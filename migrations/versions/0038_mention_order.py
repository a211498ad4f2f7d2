"""Index the mentions of a person in the order in which they are listed.

Revision ID: 0038
Revises: 0037
"""

from alembic import op

revision = "0038"
down_revision = "0037"

INDEX = "ix_mentions_user_id_message_id"


def upgrade() -> None:
    """Create the index."""
    op.create_index(INDEX, "mentions", ["user_id", "message_id"])


def downgrade() -> None:
    """Drop it."""
    op.drop_index(INDEX, "mentions")
