"""Direct conversations, blocks, read markers and mentions.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make room for them. Who is here already has read the general chat up to now."""
    _change_conversations("kind IN ('general', 'room', 'direct')", has_direct_key=True)
    with op.batch_alter_table("memberships") as memberships:
        memberships.add_column(sa.Column("last_read_seq", sa.BigInteger(), server_default="0", nullable=False))
        memberships.add_column(sa.Column("is_blocked", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("users", sa.Column("sends_receipts", sa.Boolean(), server_default=sa.true(), nullable=False))
    op.create_table(
        "blocks",
        sa.Column("blocker_id", sa.Integer(), nullable=False),
        sa.Column("blocked_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["blocker_id"], ["users.id"], name="fk_blocks_blocker_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["blocked_id"], ["users.id"], name="fk_blocks_blocked_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("blocker_id", "blocked_id", name="pk_blocks"),
    )
    op.create_index("ix_blocks_blocked_id", "blocks", ["blocked_id"])
    op.create_table(
        "mentions",
        sa.Column("message_id", BIG_ID, nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("conversation_id", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name="fk_mentions_conversation_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name="fk_mentions_message_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_mentions_user_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("message_id", "user_id", name="pk_mentions"),
    )
    op.create_index("ix_mentions_user_id_conversation_id_seq", "mentions", ["user_id", "conversation_id", "seq"])
    op.create_index("ix_mentions_conversation_id", "mentions", ["conversation_id"])
    op.execute(
        "UPDATE memberships SET last_read_seq = (SELECT last_event FROM conversations WHERE id = conversation_id)"
    )
    op.execute(
        "INSERT INTO memberships (conversation_id, user_id, role, created_at, last_read_seq) "
        "SELECT conversations.id, users.id, 'member', users.created_at, last_event FROM conversations, users "
        "WHERE kind = 'general'"
    )


def downgrade() -> None:
    """Drop them, and the direct conversations with them."""
    op.execute("DELETE FROM conversations WHERE kind = 'direct'")
    op.execute("DELETE FROM memberships WHERE conversation_id = 1")
    op.drop_table("mentions")
    op.drop_table("blocks")
    with op.batch_alter_table("users", table_kwargs={"sqlite_autoincrement": True}) as users:
        users.drop_column("sends_receipts")
    with op.batch_alter_table("memberships") as memberships:
        memberships.drop_column("is_blocked")
        memberships.drop_column("last_read_seq")
    _change_conversations("kind IN ('general', 'room')", has_direct_key=False)


def _change_conversations(kinds: str, *, has_direct_key: bool) -> None:
    with op.batch_alter_table("conversations", table_kwargs={"sqlite_autoincrement": True}) as conversations:
        conversations.drop_constraint(op.f("ck_conversations_kind"), type_="check")
        if has_direct_key:
            conversations.add_column(sa.Column("direct_key", sa.String(length=120), nullable=True))
            conversations.create_unique_constraint("uq_conversations_direct_key", ["direct_key"])
            conversations.create_check_constraint("direct_key", "(kind = 'direct') = (direct_key IS NOT NULL)")
        else:
            conversations.drop_constraint(op.f("ck_conversations_direct_key"), type_="check")
            conversations.drop_constraint("uq_conversations_direct_key", type_="unique")
            conversations.drop_column("direct_key")
        conversations.create_check_constraint("kind", kinds)
