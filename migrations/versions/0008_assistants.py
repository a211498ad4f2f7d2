"""Assistants: their conversations, their answers, and share links.

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

SECONDS_PER_MILLION_MESSAGES = {"postgresql": 1.5, "sqlite": 25.0}

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
NUMBERED = {"sqlite_autoincrement": True}
IS_SHARED = sa.text("kind = 'assistant' AND visibility = 'open'")
IS_OPEN = sa.text("ended_at IS NULL")
STATES = "state IN ('queued', 'streaming', 'complete', 'stopped', 'interrupted', 'failed')"


def upgrade() -> None:
    """Make room for them."""
    with op.batch_alter_table("conversations", table_kwargs=NUMBERED) as conversations:
        conversations.drop_constraint(op.f("ck_conversations_kind"), type_="check")
        conversations.add_column(sa.Column("assistant", sa.String(length=32), nullable=True))
        conversations.create_check_constraint("kind", "kind IN ('general', 'room', 'direct', 'assistant')")
        conversations.create_check_constraint("assistant", "(kind = 'assistant') = (assistant IS NOT NULL)")
    op.create_index(
        "uq_conversations_shared_assistant",
        "conversations",
        ["assistant"],
        unique=True,
        sqlite_where=IS_SHARED,
        postgresql_where=IS_SHARED,
    )
    with op.batch_alter_table("messages", table_kwargs=NUMBERED) as messages:
        messages.add_column(sa.Column("reply_to", sa.BigInteger(), nullable=True))
        messages.add_column(sa.Column("asker_id", sa.Integer(), nullable=True))
        messages.add_column(sa.Column("state", sa.String(length=16), nullable=True))
        messages.add_column(sa.Column("problem", sa.String(length=300), nullable=True))
        messages.create_foreign_key("fk_messages_asker_id", "users", ["asker_id"], ["id"], ondelete="SET NULL")
        messages.create_check_constraint("has_state", "(sender_type = 'assistant') = (state IS NOT NULL)")
        messages.create_check_constraint("state", STATES)
    op.create_table(
        "answers",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("message_id", BIG_ID, nullable=False),
        sa.Column("conversation_id", sa.Integer(), nullable=False),
        sa.Column("asker_id", sa.Integer(), nullable=False),
        sa.Column("assistant", sa.String(length=32), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("is_stopped", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["asker_id"], ["users.id"], name="fk_answers_asker_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name="fk_answers_conversation_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name="fk_answers_message_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_answers"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_answers_message_id", "answers", ["message_id"])
    op.create_index("ix_answers_asker_id_created_at", "answers", ["asker_id", "created_at"])
    op.create_index(
        "ix_answers_open", "answers", ["conversation_id", "id"], sqlite_where=IS_OPEN, postgresql_where=IS_OPEN
    )
    op.create_table(
        "share_links",
        sa.Column("conversation_id", sa.Integer(), nullable=False),
        sa.Column("token", sa.String(length=64), nullable=False),
        sa.Column("creator_id", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name="fk_share_links_conversation_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["creator_id"], ["users.id"], name="fk_share_links_creator_id", ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("conversation_id", name="pk_share_links"),
        sa.UniqueConstraint("token", name="uq_share_links_token"),
    )


def downgrade() -> None:
    """Drop them, what assistants said, and the conversations with them."""
    op.drop_table("share_links")
    op.drop_table("answers")
    theirs = "(SELECT id FROM conversations WHERE kind = 'assistant')"
    # Foreign keys are off while migrations run, so SQLite does not cascade.
    for table in ("mentions", "retired_keys", "memberships"):
        op.execute(f"DELETE FROM {table} WHERE conversation_id IN {theirs}")  # noqa: S608 - names from above
    said = f"sender_type = 'assistant' OR conversation_id IN {theirs}"
    for table in ("mentions", "reactions", "webhook_deliveries"):
        op.execute(f"DELETE FROM {table} WHERE message_id IN (SELECT id FROM messages WHERE {said})")  # noqa: S608
    op.execute(
        "UPDATE conversations SET message_count = message_count - (SELECT count(*) FROM messages "
        "WHERE conversation_id = conversations.id AND sender_type = 'assistant')"
    )
    op.execute(f"DELETE FROM messages WHERE {said}")  # noqa: S608
    op.execute("DELETE FROM conversations WHERE kind = 'assistant'")
    with op.batch_alter_table("messages", table_kwargs=NUMBERED) as messages:
        messages.drop_constraint(op.f("ck_messages_state"), type_="check")
        messages.drop_constraint(op.f("ck_messages_has_state"), type_="check")
        messages.drop_constraint("fk_messages_asker_id", type_="foreignkey")
        for column in ("problem", "state", "asker_id", "reply_to"):
            messages.drop_column(column)
    op.drop_index("uq_conversations_shared_assistant", "conversations")
    with op.batch_alter_table("conversations", table_kwargs=NUMBERED) as conversations:
        conversations.drop_constraint(op.f("ck_conversations_assistant"), type_="check")
        conversations.drop_constraint(op.f("ck_conversations_kind"), type_="check")
        conversations.drop_column("assistant")
        conversations.create_check_constraint("kind", "kind IN ('general', 'room', 'direct')")
