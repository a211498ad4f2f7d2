"""Queries of API tokens."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from chatapp.models import ApiToken, User, now
from chatapp.models.base import UtcDateTime
from chatapp.storage import ReadStatement

_TOKENS, _USERS = ApiToken.__table__, User.__table__

_FIND = ReadStatement(
    select(_TOKENS.c.id, _TOKENS.c.user_id, _TOKENS.c.scopes, _TOKENS.c.last_used_at)
    .select_from(_TOKENS.join(_USERS, _USERS.c.id == _TOKENS.c.user_id))
    .where(
        _TOKENS.c.token_hash == bindparam("token_hash"),
        ApiToken.is_valid(bindparam("now", type_=UtcDateTime())),
        _USERS.c.is_active,
    )
)


class ValidToken(NamedTuple):
    """An API token that can be used."""

    id: int
    user_id: int
    scopes: str
    last_used_at: datetime | None


def find_token(session: Session, token_hash: str) -> ValidToken | None:
    """Return the token with this hash, or None if there is none, it has expired or its user is banned."""
    rows = _FIND.fetch(session, token_hash=token_hash, now=now())
    return ValidToken(*rows[0]) if rows else None


def list_tokens(session: Session, user_id: int) -> Sequence[ApiToken]:
    """List a user's tokens, newest first."""
    return session.scalars(select(ApiToken).where(ApiToken.user_id == user_id).order_by(ApiToken.id.desc())).all()
