"""Record whether requests to unknown host names are refused.

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add the column. An installation that has accounts accepts unknown names until its operator lists its own."""
    with op.batch_alter_table("installation") as installation:
        installation.add_column(sa.Column("enforces_hosts", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.execute(
        sa.text("UPDATE installation SET enforces_hosts = :no WHERE EXISTS (SELECT 1 FROM users)").bindparams(no=False)
    )


def downgrade() -> None:
    """Remove the column."""
    with op.batch_alter_table("installation") as installation:
        installation.drop_column("enforces_hosts")
