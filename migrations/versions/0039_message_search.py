"""The search index of messages, which is empty at first. It is filled in the background.

Revision ID: 0039
Revises: 0038
"""

from alembic import op

revision = "0039"
down_revision = "0038"

SECONDS_PER_MILLION_MESSAGES = {"postgresql": 0.0, "sqlite": 0.0}


def upgrade() -> None:
    """Create the index and its position."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            "CREATE VIRTUAL TABLE message_search USING fts5(tokens, content='', contentless_delete=1, prefix='2 3', "
            "tokenize=\"ascii tokenchars '_'\")"
        )
        op.execute("CREATE VIRTUAL TABLE message_search_terms USING fts5vocab(message_search, 'instance')")
    else:
        op.execute(
            "CREATE TABLE message_search ("
            "message_id BIGINT NOT NULL CONSTRAINT pk_message_search PRIMARY KEY "
            "CONSTRAINT fk_message_search_message_id REFERENCES messages (id) ON DELETE CASCADE, "
            "tokens TSVECTOR NOT NULL)"
        )
        op.execute("CREATE INDEX ix_message_search_tokens ON message_search USING gin (tokens)")
    op.execute("CREATE TABLE message_search_state (position BIGINT NOT NULL)")
    op.execute("INSERT INTO message_search_state SELECT coalesce(max(id) + 1, 0) FROM messages")


def downgrade() -> None:
    """Remove them."""
    op.execute("DROP TABLE message_search_state")
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TABLE message_search_terms")
    op.execute("DROP TABLE message_search")
