"""The master key of an installation, and the keys that are derived from it."""

import base64
import binascii

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32

DATABASE, SPOOL, ARCHIVE, SECRETS, BACKUP, FILES = "database", "spool", "archive", "secrets", "backup", "files"
"""Purposes: what is encrypted with a key that is derived for it."""

_FORM = "a key must be 32 random bytes in Base64; make one with “openssl rand -base64 32”"


class MasterKey:
    """The key that an operator keeps. It encrypts nothing itself: each purpose has a key that is derived from it."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) != KEY_BYTES:
            raise ValueError(_FORM)
        self._secret = secret

    @classmethod
    def parse(cls, text: str) -> "MasterKey":
        """Read a key in Base64. Raises `ValueError`, whose message does not contain it."""
        try:
            return cls(base64.b64decode(text.strip(), validate=True))
        except (binascii.Error, ValueError):
            raise ValueError(_FORM) from None

    def derive(self, purpose: str) -> bytes:
        """Return the key for a purpose."""
        return derive_key(self._secret, f"chatapp {purpose}")


def derive_key(secret: bytes, info: str, salt: bytes | None = None) -> bytes:
    """Derive a key with HKDF-SHA-256. The key does not reveal `secret` or the keys for other values of `info`."""
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=salt, info=info.encode()).derive(secret)
