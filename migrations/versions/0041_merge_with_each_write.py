"""Merge the search index of SQLite in small steps, by each write: see `chatapp.search.index.count_merged_pages`.

Revision ID: 0041
Revises: 0040
"""

from alembic import op

revision = "0041"
down_revision = "0040"

_SET = "INSERT INTO message_search (message_search, rank) VALUES ('automerge', {})"


def upgrade() -> None:
    """Leave merging to the writers."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute(_SET.format(0))


def downgrade() -> None:
    """Let FTS5 merge by itself, as it does by default."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute(_SET.format(4))
