"""The CSRF token in pages: the same for all pages of a session, so that a page that has not changed is the same too.

Flask-WTF, which checks it, signs its own tokens with the time. They have no time limit here: see `init_security`.
"""

from functools import lru_cache

from flask import current_app, session
from flask_wtf.csrf import generate_csrf
from itsdangerous import TimestampSigner, URLSafeTimedSerializer

FIELD = "csrf_token"
"""Name of the session's secret in its cookie, and of the form field."""

MAX_TOKENS = 10_000
"""Maximum number of sessions whose token is cached."""


class _UntimedSigner(TimestampSigner):
    def get_timestamp(self) -> int:
        """Return the same time for all tokens."""
        return 0


def get_csrf_token() -> str:
    """Return the CSRF token of the current session."""
    if FIELD not in session:
        generate_csrf()
    return _sign(str(current_app.secret_key), session[FIELD])


def renew_csrf_tokens(page: bytes) -> bytes:
    """Replace the session's token in a page by an equally valid one that is another each second.

    The size of a compressed page reveals by and by what stays the same in it.
    """
    if FIELD not in session:
        return page
    return page.replace(get_csrf_token().encode(), generate_csrf().encode())


@lru_cache(MAX_TOKENS)
def _sign(key: str, secret: str) -> str:
    token = URLSafeTimedSerializer(key, salt="wtf-csrf-token", signer=_UntimedSigner).dumps(secret)
    return token if isinstance(token, str) else token.decode()
