"""Password hashes: argon2id with the library's own parameters (RFC 9106, low memory), on a native thread."""

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from chatapp.native import run_native

_hasher = PasswordHasher()

_NOBODY = _hasher.hash("nobody has this password")
"""Verified against where there is no account, so that the time taken does not tell which names exist."""


def hash_password(password: str) -> str:
    """Give the hash to store for `password`."""
    return run_native(_hasher.hash, password)


def verify_password(password_hash: str | None, password: str) -> bool:
    """Tell whether `password` belongs to the hash; never where there is no hash, after the same time."""
    return run_native(_verify, password_hash or _NOBODY, password) and password_hash is not None


def _verify(password_hash: str, password: str) -> bool:
    try:
        return _hasher.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False
