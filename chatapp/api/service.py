"""What is written about API tokens."""

from contextlib import suppress
from datetime import timedelta

from sqlalchemy import delete, func, select, update

from chatapp.actors import Actor, require_active_login
from chatapp.errors import ChatError, Conflict, Invalid, NotFound
from chatapp.models import ApiToken, now
from chatapp.timeline import Transaction, write
from chatapp.tokens import hash_token, new_token

NAME_LENGTH = 64
MOST = 50
"""Tokens of one person."""

READ, WRITE = "read", "write"
SCOPES = {"read": READ, "write": f"{READ} {WRITE}"}
"""What a token may, by what one chooses."""

PREFIX = "chatapp_"
"""What tokens begin with, so that they are known for what they are wherever they leak to."""

NOTED = timedelta(minutes=1)
"""How long a token's use is not noted again."""


def create_token(actor: Actor, name: str, choice: str) -> str:
    """Make a token and give it: it is shown this once, the database has its hash.

    Raises `Invalid`, `SignedOut`, and `Conflict` when the person has too many.
    """
    checked = " ".join(name.split())
    if not 1 <= len(checked) <= NAME_LENGTH or not checked.isprintable():
        raise Invalid(f"A token's name has 1 to {NAME_LENGTH} printable characters.")
    if choice not in SCOPES:
        raise Invalid("Choose what the token may do.")
    token = PREFIX + new_token()

    def change(transaction: Transaction) -> str:
        session = transaction.session
        require_active_login(session, actor)
        if session.scalars(select(func.count()).where(ApiToken.user_id == actor.user_id)).one() >= MOST:
            raise Conflict(f"One has at most {MOST} tokens. Revoke one that is no longer used.")
        session.add(ApiToken(user_id=actor.user_id, token_hash=hash_token(token), name=checked, scopes=SCOPES[choice]))
        return token

    return write(change)


def revoke_token(actor: Actor, token_id: int) -> None:
    """Let a token of one's own do nothing any more. Raises `NotFound`, `SignedOut`."""

    def change(transaction: Transaction) -> None:
        session = transaction.session
        require_active_login(session, actor)
        gone = session.scalars(
            delete(ApiToken).where(ApiToken.id == token_id, ApiToken.user_id == actor.user_id).returning(ApiToken.id)
        ).one_or_none()
        if gone is None:
            raise NotFound("There is no such token.")

    write(change)


def note_use(token: ApiToken) -> None:
    """Keep when the token was last used, now and then."""
    if token.last_used_at is not None and now() - token.last_used_at < NOTED:
        return
    noted = update(ApiToken).where(ApiToken.id == token.id).values(last_used_at=now())
    # Who only reads need not wait until something can be written again.
    with suppress(ChatError):
        write(lambda transaction: transaction.session.execute(noted))
