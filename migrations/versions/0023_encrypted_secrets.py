"""Encrypt the signing secrets of outgoing webhooks.

Revision ID: 0023
Revises: 0022
"""

from collections.abc import Callable

import sqlalchemy as sa
from alembic import op

from chatapp.encryption.keyring import keyring_of

revision = "0023"
down_revision = "0022"

CONTEXT = "outgoing_webhooks.secret"

webhooks = sa.table("outgoing_webhooks", sa.column("id", sa.Integer), sa.column("secret", sa.Text))


def upgrade() -> None:
    """Encrypt them: they are longer then."""
    with op.batch_alter_table("outgoing_webhooks", table_kwargs={"sqlite_autoincrement": True}) as batch:
        batch.alter_column("secret", existing_type=sa.String(64), type_=sa.Text(), existing_nullable=False)
    convert(keyring_of(op.get_bind().dialect).encrypt)


def downgrade() -> None:
    """Decrypt them."""
    convert(keyring_of(op.get_bind().dialect).decrypt)
    with op.batch_alter_table("outgoing_webhooks", table_kwargs={"sqlite_autoincrement": True}) as batch:
        batch.alter_column("secret", existing_type=sa.Text(), type_=sa.String(64), existing_nullable=False)


def convert(change: Callable[[str, str], str]) -> None:
    """Replace each secret."""
    connection = op.get_bind()
    for row in connection.execute(sa.select(webhooks)).all():
        replaced = webhooks.update().where(webhooks.c.id == row.id).values(secret=change(row.secret, CONTEXT))
        connection.execute(replaced)
