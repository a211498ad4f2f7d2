"""Encrypted columns, and the renewal of their values when the key is replaced."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Column, Dialect, Table, Text, select, type_coerce, update
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeDecorator

from chatapp.encryption.keyring import keyring_of
from chatapp.encryption.streams import Undecryptable
from chatapp.models.base import Base


class EncryptedText(TypeDecorator[str]):
    """A text that the database stores encrypted, with the keyring of the engine. Equal texts are stored differently.

    `context` names the column: the database cannot present the value of another one in its place. Reading raises
    `Undecryptable`, so defer the loading of the column to where it is needed.
    """

    impl = Text
    cache_ok = True

    def __init__(self, context: str) -> None:
        super().__init__()
        self.context = context

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Encrypt."""
        return None if value is None else keyring_of(dialect).encrypt(value, self.context)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        """Decrypt. Raises `Undecryptable`."""
        return None if value is None else keyring_of(dialect).decrypt(value, self.context)


def renew_encrypted_values(session: Session) -> tuple[int, int]:
    """Encrypt all values of encrypted columns with the current key. Return how many were renewed, and how many not."""
    renewed = failed = 0
    keyring = keyring_of(session.get_bind().dialect)
    for table, column, kind in _list_encrypted_columns():
        (key,) = table.primary_key.columns
        for row_id, value in session.execute(select(key, type_coerce(column, Text)).where(column.is_not(None))).all():
            try:
                text = keyring.decrypt(value, kind.context)
            except Undecryptable:
                failed += 1
            else:
                session.execute(update(table).where(key == row_id).values({column: text}))
                renewed += 1
    return renewed, failed


def _list_encrypted_columns() -> Iterator[tuple[Table, Column[Any], EncryptedText]]:
    for table in Base.metadata.sorted_tables:
        for column in table.columns:
            if isinstance(column.type, EncryptedText):
                yield table, column, column.type
