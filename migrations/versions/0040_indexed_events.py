"""Up to which event each conversation is indexed for the search, and by which tokenizer.

Revision ID: 0040
Revises: 0039
"""

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"


def upgrade() -> None:
    """Add the columns. The first server that is started marks all conversations, and fills the index."""
    op.add_column("conversations", sa.Column("indexed_event", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("conversations", sa.Column("indexed_tokenizer", sa.Integer(), server_default="0", nullable=False))
    op.add_column("message_search_state", sa.Column("tokenizer", sa.Integer(), server_default="0", nullable=False))


def downgrade() -> None:
    """Remove them."""
    op.drop_column("message_search_state", "tokenizer")
    op.drop_column("conversations", "indexed_tokenizer")
    op.drop_column("conversations", "indexed_event")
