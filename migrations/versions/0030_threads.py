"""Threads: replies to a message, which the pages of its conversation do not show.

Revision ID: 0030
Revises: 0029
"""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"

SECONDS_PER_MILLION_MESSAGES = {"postgresql": 3.0, "sqlite": 4.0}

PERIODS = "ix_messages_conversation_id_created_at_seq"

IN_ROOM = {"sqlite_where": sa.text("is_in_room = 1"), "postgresql_where": sa.text("is_in_room")}

IN_THREAD = {"sqlite_where": sa.text("thread_root IS NOT NULL"), "postgresql_where": sa.text("thread_root IS NOT NULL")}


def upgrade() -> None:
    """Add the columns, indexes and tables. All messages that exist are in their rooms."""
    op.add_column("messages", sa.Column("thread_root", sa.BigInteger(), nullable=True))
    op.add_column("messages", sa.Column("is_in_room", sa.Boolean(), server_default=sa.true(), nullable=False))
    op.add_column("mentions", sa.Column("is_in_room", sa.Boolean(), server_default=sa.true(), nullable=False))
    op.create_index("ix_messages_conversation_id_seq", "messages", ["conversation_id", "seq"], **IN_ROOM)
    op.drop_index(PERIODS, "messages")
    op.create_index(PERIODS, "messages", ["conversation_id", "created_at", "seq"], **IN_ROOM)
    op.create_index(
        "ix_messages_conversation_id_thread_root_seq",
        "messages",
        ["conversation_id", "thread_root", "seq"],
        **IN_THREAD,
    )
    op.create_table(
        "threads",
        sa.Column("conversation_id", sa.Integer(), nullable=False),
        sa.Column("root_seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("reply_count", sa.BigInteger(), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.Column("last_reply_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_people", sa.String(60), nullable=False),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name="fk_threads_conversation_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("conversation_id", "root_seq", name="pk_threads"),
    )
    op.create_table(
        "thread_members",
        sa.Column("conversation_id", sa.Integer(), nullable=False),
        sa.Column("root_seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("is_following", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("last_read_seq", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name="fk_thread_members_conversation_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_thread_members_user_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("conversation_id", "root_seq", "user_id", name="pk_thread_members"),
    )
    op.create_index(
        "ix_thread_members_user_id_conversation_id_root_seq",
        "thread_members",
        ["user_id", "conversation_id", "root_seq"],
    )


def downgrade() -> None:
    """Remove them. What was a reply in a thread is shown in its room."""
    op.drop_table("thread_members")
    op.drop_table("threads")
    op.drop_index("ix_messages_conversation_id_thread_root_seq", "messages")
    op.drop_index(PERIODS, "messages")
    op.create_index(PERIODS, "messages", ["conversation_id", "created_at", "seq"])
    op.drop_index("ix_messages_conversation_id_seq", "messages")
    op.drop_column("mentions", "is_in_room")
    op.drop_column("messages", "is_in_room")
    op.drop_column("messages", "thread_root")
