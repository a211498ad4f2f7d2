"""Earlier versions of messages.

Revision ID: 0020
Revises: 0019
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "message_versions",
        sa.Column("message_id", BIG_ID, nullable=False),
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["message_id"], ["messages.id"], name="fk_message_versions_message_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("message_id", "version", name="pk_message_versions"),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("message_versions")
