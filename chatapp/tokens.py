"""Secrets in links, cookies and headers: made here, and hashed for the database."""

import hashlib
import secrets


def new_token(size: int = 32) -> str:
    """Make a secret of `size` random bytes."""
    return secrets.token_urlsafe(size)


def hash_token(token: str) -> str:
    """Give what is stored of a token; it has enough entropy to need no slow hash."""
    return hashlib.sha256(token.encode()).hexdigest()
