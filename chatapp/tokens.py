"""Secret tokens in links, cookies and headers, and the hashes of them that the database stores."""

import hashlib
import secrets


def new_token(size: int = 32) -> str:
    """Return a token made of `size` random bytes."""
    return secrets.token_urlsafe(size)


def hash_token(token: str) -> str:
    """Return the hash of a token. SHA-256 is enough, since a token has too much entropy to be guessed."""
    return hashlib.sha256(token.encode()).hexdigest()
