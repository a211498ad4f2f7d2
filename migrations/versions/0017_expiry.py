"""Let login sessions and API tokens expire.

Revision ID: 0017
Revises: 0016
"""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"

TIMES = ("last_seen_at", "idle_expires_at", "expires_at")


def upgrade() -> None:
    """Add the columns. Existing login sessions expire after 90 days, or 30 days without use; existing tokens do not."""
    with op.batch_alter_table("user_sessions") as sessions:
        sessions.add_column(sa.Column("device", sa.String(length=200), nullable=True))
        for name in TIMES:
            sessions.add_column(sa.Column(name, sa.DateTime(timezone=True), nullable=True))
    now = datetime.now(UTC)
    values = dict(zip(TIMES, (now, now + timedelta(days=30), now + timedelta(days=90)), strict=True))
    op.execute(
        sa.table("user_sessions", *(sa.column(name, sa.DateTime(timezone=True)) for name in TIMES))
        .update()
        .values(values)
    )
    with op.batch_alter_table("user_sessions") as sessions:
        for name in TIMES:
            sessions.alter_column(name, existing_type=sa.DateTime(timezone=True), nullable=False)
    with op.batch_alter_table("api_tokens") as tokens:
        tokens.add_column(sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    """Remove the columns."""
    with op.batch_alter_table("api_tokens") as tokens:
        tokens.drop_column("expires_at")
    with op.batch_alter_table("user_sessions") as sessions:
        for name in ("device", *TIMES):
            sessions.drop_column(name)
