"""Count questions to assistants independently of conversations; find the next delivery of each webhook.

Revision ID: 0015
Revises: 0014
"""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create `assistant_usage` from the answers of the last 24 hours, and the index of deliveries."""
    usage = op.create_table(
        "assistant_usage",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_assistant_usage_user_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_assistant_usage"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_assistant_usage_user_id_asked_at", "assistant_usage", ["user_id", "asked_at"])
    answers = sa.table(
        "answers", sa.column("asker_id", sa.Integer()), sa.column("created_at", sa.DateTime(timezone=True))
    )
    recent = sa.select(answers.c.asker_id, answers.c.created_at).where(
        answers.c.created_at > datetime.now(UTC) - timedelta(hours=24)
    )
    op.execute(usage.insert().from_select(["user_id", "asked_at"], recent))
    op.create_index("ix_webhook_deliveries_webhook_id_due_at", "webhook_deliveries", ["webhook_id", "due_at"])
    op.drop_index("ix_webhook_deliveries_webhook_id", "webhook_deliveries")


def downgrade() -> None:
    """Remove them."""
    op.create_index("ix_webhook_deliveries_webhook_id", "webhook_deliveries", ["webhook_id"])
    op.drop_index("ix_webhook_deliveries_webhook_id_due_at", "webhook_deliveries")
    op.drop_table("assistant_usage")
