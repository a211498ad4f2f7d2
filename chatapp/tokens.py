"""Secret tokens in links, cookies and headers, and the hashes of them that the database stores."""

import hashlib
import secrets


def new_token(size: int = 32) -> str:
    """Return a token made of `size` random bytes."""
    return secrets.token_urlsafe(size)


def hash_token(token: str) -> str:
    """Return the hash of a token. SHA-256 is enough, since a token has too much entropy to be guessed."""
    return hashlib.sha256(token.encode()).hexdigest()


def parse_bearer(header: str) -> str | None:
    """Return the token of an `Authorization` header; None if it has another scheme or no token.

    Werkzeug raises an error for some invalid headers.
    """
    scheme, _, token = header.partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None
