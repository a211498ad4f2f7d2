"""Invitations with an expiry, a use limit and an author; suspended webhooks; switches for public links and webhooks.

Revision ID: 0014
Revises: 0013
"""

import secrets
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

WEBHOOKS = ("incoming_webhooks", "outgoing_webhooks")
NUMBERED = {"sqlite_autoincrement": True}

FORMER_LINK_LIFETIME = timedelta(days=30)
"""How long the link from before this migration, which had no expiry, still works."""


def upgrade() -> None:
    """Add them. The former invitation link works for another 30 days if there are accounts."""
    op.create_table(
        "invitations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("token", sa.String(length=64), nullable=False),
        sa.Column("creator_id", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("max_uses", sa.Integer(), nullable=True),
        sa.Column("uses", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["creator_id"], ["users.id"], name="fk_invitations_creator_id", ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name="pk_invitations"),
        sa.UniqueConstraint("token", name="uq_invitations_token"),
        sqlite_autoincrement=True,
    )
    moment = datetime.now(UTC)
    op.execute(
        sa.text(
            "INSERT INTO invitations (token, created_at, expires_at) SELECT invitation_token, :now, :expiry "
            "FROM installation WHERE owner_id IS NOT NULL"
        ).bindparams(
            sa.bindparam("now", moment, sa.DateTime(timezone=True)),
            sa.bindparam("expiry", moment + FORMER_LINK_LIFETIME, sa.DateTime(timezone=True)),
        )
    )
    with op.batch_alter_table("installation") as installation:
        installation.drop_column("invitation_token")
        for name in ("has_share_links", "has_outgoing_webhooks"):
            installation.add_column(sa.Column(name, sa.Boolean(), server_default=sa.true(), nullable=False))
    for table in WEBHOOKS:
        with op.batch_alter_table(table, table_kwargs=NUMBERED) as webhooks:
            webhooks.add_column(sa.Column("creator_id", sa.Integer(), nullable=True))
            webhooks.add_column(sa.Column("suspended_at", sa.DateTime(timezone=True), nullable=True))
            webhooks.create_foreign_key(f"fk_{table}_creator_id", "users", ["creator_id"], ["id"], ondelete="SET NULL")
        op.create_index(f"ix_{table}_creator_id", table, ["creator_id"])


def downgrade() -> None:
    """Drop them. The installation gets a new invitation link."""
    token = secrets.token_urlsafe(24)
    for table in WEBHOOKS:
        op.drop_index(f"ix_{table}_creator_id", table)
        with op.batch_alter_table(table, table_kwargs=NUMBERED) as webhooks:
            webhooks.drop_constraint(f"fk_{table}_creator_id", type_="foreignkey")
            webhooks.drop_column("suspended_at")
            webhooks.drop_column("creator_id")
    with op.batch_alter_table("installation") as installation:
        installation.drop_column("has_outgoing_webhooks")
        installation.drop_column("has_share_links")
        installation.add_column(
            sa.Column("invitation_token", sa.String(length=64), nullable=False, server_default=token)
        )
    op.drop_table("invitations")
    with op.batch_alter_table("installation") as installation:
        installation.alter_column("invitation_token", server_default=None)
