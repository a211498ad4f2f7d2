"""Accounts, conversations, messages.

Revision ID: 0001
Revises: nothing
"""

import secrets
from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables, the general chat, and the installation with its secrets."""
    op.create_table(
        "users",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("username", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("password_hash", sa.String(length=255), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("role IN ('member', 'admin')", name="role"),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("username", name="uq_users_username"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "conversations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("topic", sa.String(length=250), nullable=False),
        sa.Column("visibility", sa.String(length=16), nullable=False),
        sa.Column("creator_id", sa.Integer(), nullable=True),
        sa.Column("last_event", sa.BigInteger(), nullable=False),
        sa.Column("floor", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(kind = 'general') = (id = 1)", name="general"),
        sa.CheckConstraint("kind IN ('general', 'room')", name="kind"),
        sa.CheckConstraint("visibility IN ('open', 'private')", name="visibility"),
        sa.ForeignKeyConstraint(["creator_id"], ["users.id"], name="fk_conversations_creator_id", ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name="pk_conversations"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "installation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=True),
        sa.Column("invitation_token", sa.String(length=64), nullable=False),
        sa.Column("epoch", sa.String(length=32), nullable=False),
        sa.CheckConstraint("id = 1", name="single"),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name="fk_installation_owner_id", ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name="pk_installation"),
    )
    op.create_table(
        "user_sessions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_user_sessions_user_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_user_sessions"),
        sa.UniqueConstraint("token_hash", name="uq_user_sessions_token_hash"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_user_sessions_user_id", "user_sessions", ["user_id"])

    op.create_table(
        "memberships",
        sa.Column("conversation_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("role IN ('member', 'manager')", name="role"),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name="fk_memberships_conversation_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_memberships_user_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("conversation_id", "user_id", name="pk_memberships"),
    )
    op.create_index("ix_memberships_user_id", "memberships", ["user_id"])

    op.create_table(
        "messages",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("conversation_id", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("sender_id", sa.Integer(), nullable=True),
        sa.Column("sender_type", sa.String(length=16), nullable=False),
        sa.Column("message_type", sa.String(length=16), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("client_id", sa.String(length=36), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("edited_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("sender_type IN ('user', 'assistant', 'system')", name="sender_type"),
        sa.CheckConstraint("version >= seq", name="version"),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name="fk_messages_conversation_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["sender_id"], ["users.id"], name="fk_messages_sender_id", ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name="pk_messages"),
        sa.UniqueConstraint("client_id", "sender_id", name="uq_messages_client_id_sender_id"),
        sa.UniqueConstraint("conversation_id", "seq", name="uq_messages_conversation_id_seq"),
        sa.UniqueConstraint("conversation_id", "version", name="uq_messages_conversation_id_version"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "retired_keys",
        sa.Column("client_id", sa.String(length=36), nullable=False),
        sa.Column("sender_id", sa.Integer(), nullable=False),
        sa.Column("conversation_id", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name="fk_retired_keys_conversation_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["sender_id"], ["users.id"], name="fk_retired_keys_sender_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("client_id", "sender_id", name="pk_retired_keys"),
    )
    op.create_index("ix_retired_keys_conversation_id", "retired_keys", ["conversation_id"])
    op.create_index("ix_retired_keys_retired_at", "retired_keys", ["retired_at"])

    conversations = sa.table(
        "conversations",
        *(sa.column(name) for name in ("id", "kind", "name", "topic", "visibility", "last_event", "floor")),
        *(sa.column(name, sa.DateTime(timezone=True)) for name in ("created_at", "updated_at")),
    )
    moment = datetime.now(UTC)
    op.bulk_insert(
        conversations,
        [
            {
                "id": 1,
                "kind": "general",
                "name": "General",
                "topic": "",
                "visibility": "open",
                "last_event": 0,
                "floor": 0,
                "created_at": moment,
                "updated_at": moment,
            }
        ],
    )
    installation = sa.table("installation", *(sa.column(name) for name in ("id", "invitation_token", "epoch")))
    op.bulk_insert(
        installation, [{"id": 1, "invitation_token": secrets.token_urlsafe(24), "epoch": secrets.token_hex(16)}]
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute("SELECT setval('conversations_id_seq', 1)")


def downgrade() -> None:
    """Drop everything."""
    op.drop_index("ix_retired_keys_retired_at", "retired_keys")
    op.drop_index("ix_retired_keys_conversation_id", "retired_keys")

    op.drop_table("retired_keys")
    op.drop_table("messages")
    op.drop_index("ix_memberships_user_id", "memberships")

    op.drop_table("memberships")
    op.drop_index("ix_user_sessions_user_id", "user_sessions")

    op.drop_table("user_sessions")
    op.drop_table("installation")
    op.drop_table("conversations")
    op.drop_table("users")
