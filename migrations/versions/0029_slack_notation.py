"""Whether an incoming webhook understands Slack's notation.

Revision ID: 0029
Revises: 0028
"""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"


def upgrade() -> None:
    """Add the column: webhooks that exist keep what they post."""
    op.add_column(
        "incoming_webhooks", sa.Column("has_slack_notation", sa.Boolean(), server_default=sa.false(), nullable=False)
    )


def downgrade() -> None:
    """Remove it."""
    op.drop_column("incoming_webhooks", "has_slack_notation")
