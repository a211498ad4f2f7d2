"""Password hashes: argon2id with the library's default parameters (RFC 9106, low memory), on native threads."""

import secrets
from base64 import b64encode

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import ARGON2_VERSION

from chatapp.concurrency.native import current_pools

_hasher = PasswordHasher()


def _make_dummy_hash() -> str:
    # Random, in the format of a hash: computing a real one would take a tenth of the time that a server needs to start.
    cost = f"m={_hasher.memory_cost},t={_hasher.time_cost},p={_hasher.parallelism}"
    salt, digest = (
        b64encode(secrets.token_bytes(length)).rstrip(b"=").decode() for length in (_hasher.salt_len, _hasher.hash_len)
    )
    return f"$argon2id$v={ARGON2_VERSION}${cost}${salt}${digest}"


_DUMMY_HASH = _make_dummy_hash()
"""Verified if an account does not exist, so that the response time does not reveal which usernames exist."""


def hash_password(password: str) -> str:
    """Return the hash of a password, to be stored."""
    return current_pools().passwords.run(_hasher.hash, password)


def verify_password(password_hash: str | None, password: str) -> bool:
    """Return whether a password has this hash. Without a hash, return False after the same time."""
    return current_pools().passwords.run(_verify, password_hash or _DUMMY_HASH, password) and password_hash is not None


def _verify(password_hash: str, password: str) -> bool:
    try:
        return _hasher.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False
