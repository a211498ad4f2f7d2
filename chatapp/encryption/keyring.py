"""Keys that encrypt single columns of the database, so that its copies do not disclose secrets.

The keys are in a file outside the database. It is encrypted itself if the installation has a master key.
"""

import base64
import binascii
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from chatapp.encryption.files import read, read_or_create, replace
from chatapp.encryption.keys import KEY_BYTES
from chatapp.encryption.streams import Undecryptable

NONCE_BYTES = 12
KEY_ID_BYTES = 4


@dataclass(frozen=True, slots=True)
class ColumnKey:
    """A key, and the id that encrypted values begin with."""

    id: str
    secret: bytes

    @classmethod
    def generate(cls) -> "ColumnKey":
        """Return a new key."""
        return cls(secrets.token_hex(KEY_ID_BYTES), secrets.token_bytes(KEY_BYTES))

    @classmethod
    def parse(cls, line: str) -> "ColumnKey":
        """Read a key from a line of the file."""
        key_id, _, secret = line.partition(" ")
        return cls(key_id, base64.b64decode(secret))

    def to_line(self) -> str:
        """Return the line of the file."""
        return f"{self.id} {base64.b64encode(self.secret).decode()}\n"


class Keyring:
    """The keys in a file. The first one encrypts; the others decrypt what was encrypted before they were replaced."""

    def __init__(self, path: Path, file_key: bytes | None) -> None:
        self._path = path
        self._file_key = file_key
        self._keys: dict[str, ColumnKey] = {}

    def encrypt(self, text: str, context: str) -> str:
        """Encrypt a text. `context` says what it is: a value that was moved to another column is not decrypted.

        Creates the file if there is none. Raises `Undecryptable` and `OSError` if it cannot be read.
        """
        key = self._read(read_or_create(self._path, self._file_key, _create))
        nonce = os.urandom(NONCE_BYTES)
        sealed = nonce + AESGCM(key.secret).encrypt(nonce, text.encode(), context.encode())
        return f"{key.id}.{base64.urlsafe_b64encode(sealed).decode()}"

    def decrypt(self, value: str, context: str) -> str:
        """Return the text of an encrypted value. Raises `Undecryptable`."""
        key_id, _, encoded = value.partition(".")
        if key_id not in self._keys and self._path.exists():
            self._read(read(self._path, self._file_key))
        key = self._keys.get(key_id)
        if key is None:
            raise Undecryptable(f"its key is not in {self._path}")
        try:
            sealed = base64.urlsafe_b64decode(encoded)
            text = AESGCM(key.secret).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], context.encode())
        except (binascii.Error, InvalidTag, ValueError):
            raise Undecryptable("it is damaged") from None
        return text.decode()

    def rotate(self) -> str:
        """Add a key that encrypts from now on, in all processes, and return its id. The other keys remain."""
        old, key = read_or_create(self._path, self._file_key, _create), ColumnKey.generate()
        replace(self._path, key.to_line().encode() + old, self._file_key)
        return key.id

    def _read(self, content: bytes) -> ColumnKey:
        """Read the keys from the content of the file, and return the first one."""
        keys = [ColumnKey.parse(line) for line in content.decode().splitlines()]
        self._keys = {key.id: key for key in keys}
        return keys[0]


def _create() -> bytes:
    return ColumnKey.generate().to_line().encode()


def use_keyring(dialect: Any, keyring: Keyring) -> None:
    """Let an engine's encrypted columns use a keyring. An engine has a dialect of its own."""
    dialect.chatapp_keyring = keyring


def keyring_of(dialect: Any) -> Keyring:
    """Return the keyring of an engine's dialect."""
    keyring: Keyring = dialect.chatapp_keyring
    return keyring
