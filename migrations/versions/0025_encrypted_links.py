"""Encrypt the tokens of invitations and share links, which are found by their hashes.

Revision ID: 0025
Revises: 0024
"""

import hashlib

import sqlalchemy as sa
from alembic import op

from chatapp.encryption.keyring import keyring_of

revision = "0025"
down_revision = "0024"

TABLES = {"invitations": ("id", {"sqlite_autoincrement": True}), "share_links": ("conversation_id", {})}
"""Primary key, and options of SQLite."""


def upgrade() -> None:
    """Add the hashes, and encrypt the tokens."""
    connection, keyring = op.get_bind(), keyring_of(op.get_bind().dialect)
    for name, (key, options) in TABLES.items():
        with op.batch_alter_table(name, table_kwargs=options) as batch:
            batch.add_column(sa.Column("token_hash", sa.String(64), nullable=True))
            batch.drop_constraint(f"uq_{name}_token", type_="unique")
            batch.alter_column("token", existing_type=sa.String(64), type_=sa.Text(), existing_nullable=False)
        table = describe(name, key)
        for row_id, token in connection.execute(sa.select(table.c[key], table.c.token)).all():
            values = {
                "token_hash": hashlib.sha256(token.encode()).hexdigest(),
                "token": keyring.encrypt(token, f"{name}.token"),
            }
            connection.execute(table.update().where(table.c[key] == row_id).values(values))
        with op.batch_alter_table(name, table_kwargs=options) as batch:
            batch.alter_column("token_hash", existing_type=sa.String(64), nullable=False)
            batch.create_unique_constraint(f"uq_{name}_token_hash", ["token_hash"])


def downgrade() -> None:
    """Decrypt the tokens, and remove the hashes."""
    connection, keyring = op.get_bind(), keyring_of(op.get_bind().dialect)
    for name, (key, options) in TABLES.items():
        table = describe(name, key)
        for row_id, token in connection.execute(sa.select(table.c[key], table.c.token)).all():
            decrypted = keyring.decrypt(token, f"{name}.token")
            connection.execute(table.update().where(table.c[key] == row_id).values(token=decrypted))
        with op.batch_alter_table(name, table_kwargs=options) as batch:
            batch.drop_constraint(f"uq_{name}_token_hash", type_="unique")
            batch.drop_column("token_hash")
            batch.alter_column("token", existing_type=sa.Text(), type_=sa.String(64), existing_nullable=False)
            batch.create_unique_constraint(f"uq_{name}_token", ["token"])


def describe(name: str, key: str) -> sa.TableClause:
    """Return a table with the columns that are needed."""
    return sa.table(name, sa.column(key, sa.Integer), sa.column("token", sa.Text), sa.column("token_hash", sa.String))
