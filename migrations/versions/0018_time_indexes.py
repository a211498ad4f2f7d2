"""Index messages and conversations by time.

Revision ID: 0018
Revises: 0017
"""

from alembic import op

revision = "0018"
down_revision = "0017"

SECONDS_PER_MILLION_MESSAGES = {"postgresql": 1.5, "sqlite": 2.0}

INDEXES = (
    ("ix_messages_conversation_id_created_at_seq", "messages", ["conversation_id", "created_at", "seq"]),
    ("ix_conversations_created_at", "conversations", ["created_at"]),
    ("ix_conversations_updated_at", "conversations", ["updated_at"]),
)


def upgrade() -> None:
    """Create the indexes."""
    for name, table, columns in INDEXES:
        op.create_index(name, table, columns)


def downgrade() -> None:
    """Drop the indexes."""
    for name, table, _columns in INDEXES:
        op.drop_index(name, table)
