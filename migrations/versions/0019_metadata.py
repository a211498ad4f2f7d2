"""Metadata of messages and assistant sessions, and the types of messages.

Revision ID: 0019
Revises: 0018
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"

SECONDS_PER_MILLION_MESSAGES = {"postgresql": 1.0, "sqlite": 25.0}

NUMBERED = {"sqlite_autoincrement": True}


def upgrade() -> None:
    """Add the columns. Posts of webhooks become notices, and answers that failed errors."""
    op.add_column("conversations", sa.Column("metadata", sa.JSON(), nullable=True))
    op.execute(
        "UPDATE messages SET message_type = CASE WHEN sender_type = 'system' THEN 'system' "
        "WHEN state = 'failed' THEN 'error' ELSE 'text' END "
        "WHERE sender_type = 'system' OR state = 'failed' OR message_type <> 'text'"
    )
    with op.batch_alter_table("messages", table_kwargs=NUMBERED) as messages:
        messages.add_column(sa.Column("metadata", sa.JSON(), nullable=True))
        messages.create_check_constraint("message_type", "message_type IN ('text', 'system', 'error')")


def downgrade() -> None:
    """Remove them."""
    with op.batch_alter_table("messages", table_kwargs=NUMBERED) as messages:
        messages.drop_constraint(op.f("ck_messages_message_type"), type_="check")
        messages.drop_column("metadata")
    op.execute("UPDATE messages SET message_type = 'text' WHERE message_type <> 'text'")
    op.drop_column("conversations", "metadata")
