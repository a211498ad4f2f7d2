"""Password hashes: argon2id with the library's own parameters (RFC 9106, low memory), on a native thread."""

import secrets
from base64 import b64encode

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import ARGON2_VERSION

from chatapp.native import run_native

_hasher = PasswordHasher()


def _make_nobody() -> str:
    # By chance, in the form that a hash has: to hash something would be a tenth of a server's start.
    cost = f"m={_hasher.memory_cost},t={_hasher.time_cost},p={_hasher.parallelism}"
    salt, digest = (
        b64encode(secrets.token_bytes(length)).rstrip(b"=").decode() for length in (_hasher.salt_len, _hasher.hash_len)
    )
    return f"$argon2id$v={ARGON2_VERSION}${cost}${salt}${digest}"


_NOBODY = _make_nobody()
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
