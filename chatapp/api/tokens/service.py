"""Creating, revoking and using API tokens."""

from datetime import timedelta

from sqlalchemy import delete, func, select, update

from chatapp.actors import Actor, require_active_login
from chatapp.api.tokens.queries import ValidToken
from chatapp.audit_log import AuditKind, record
from chatapp.errors import Conflict, Invalid, NotFound
from chatapp.models import ApiToken, now
from chatapp.storage import Transaction, write, write_later
from chatapp.text import clean_line
from chatapp.tokens import hash_token, new_token

MAX_NAME_CHARS = 64
MAX_TOKENS = 50
"""Maximum number of tokens of one user."""

READ, WRITE = "read", "write"
SCOPES = {"read": READ, "write": f"{READ} {WRITE}"}
"""The scopes of a token by the form's choice."""

PREFIX = "chatapp_"
"""Lets people and secret scanners recognise a leaked token."""

LIFETIMES_DAYS = (7, 30, 90, 365)

LAST_USED_INTERVAL = timedelta(minutes=1)
"""`last_used_at` is updated at most once in this time."""


def create_token(actor: Actor, name: str, choice: str, days: str) -> str:
    """Create a token that expires after a number of days, and return it. Only its hash is stored.

    Raises `Invalid`, `SignedOut`, and `Conflict` if the user has too many tokens.
    """
    checked = clean_line(name, "The name of a token", max_chars=MAX_NAME_CHARS)
    if choice not in SCOPES:
        raise Invalid("Choose the access of the token.")
    if days not in map(str, LIFETIMES_DAYS):
        raise Invalid("Choose when the token expires.")
    expires_at = now() + timedelta(days=int(days))
    token = PREFIX + new_token()

    def change(transaction: Transaction) -> str:
        session = transaction.session
        require_active_login(session, actor)
        if session.scalars(select(func.count()).where(ApiToken.user_id == actor.user_id)).one() >= MAX_TOKENS:
            raise Conflict(f"You can have at most {MAX_TOKENS} tokens. Revoke one that you no longer use.")
        session.add(
            ApiToken(
                user_id=actor.user_id,
                token_hash=hash_token(token),
                name=checked,
                scopes=SCOPES[choice],
                expires_at=expires_at,
            )
        )
        record(transaction, AuditKind.TOKEN_CREATED, actor, target=checked)
        return token

    return write(change)


def revoke_token(actor: Actor, token_id: int) -> None:
    """Revoke one of the user's own tokens. Raises `NotFound`, `SignedOut`."""

    def change(transaction: Transaction) -> None:
        session = transaction.session
        require_active_login(session, actor)
        revoked = session.scalars(
            delete(ApiToken).where(ApiToken.id == token_id, ApiToken.user_id == actor.user_id).returning(ApiToken.name)
        ).one_or_none()
        if revoked is None:
            raise NotFound("There is no such token.")
        record(transaction, AuditKind.TOKEN_REVOKED, actor, target=revoked)

    write(change)


def record_use(token: ValidToken) -> None:
    """Update the time at which a token was last used."""
    if token.last_used_at is not None and now() - token.last_used_at < LAST_USED_INTERVAL:
        return
    statement = update(ApiToken).where(ApiToken.id == token.id).values(last_used_at=now())
    write_later(lambda transaction: transaction.session.execute(statement))
