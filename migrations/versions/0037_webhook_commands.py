"""The command of an outgoing webhook.

Revision ID: 0037
Revises: 0036
"""

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"


def upgrade() -> None:
    """Add the column: webhooks that exist have no command."""
    op.add_column("outgoing_webhooks", sa.Column("command", sa.String(length=32), nullable=True))
    op.create_index(
        "ix_outgoing_webhooks_conversation_id_command", "outgoing_webhooks", ["conversation_id", "command"], unique=True
    )


def downgrade() -> None:
    """Remove it."""
    op.drop_index("ix_outgoing_webhooks_conversation_id_command", table_name="outgoing_webhooks")
    op.drop_column("outgoing_webhooks", "command")
