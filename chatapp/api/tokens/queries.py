"""Queries of API tokens."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from chatapp.models import ApiToken, User


def find_token(session: Session, token_hash: str) -> ApiToken | None:
    """Return the token with this hash, or None if there is none, it has expired or its user is banned."""
    return session.scalars(
        select(ApiToken)
        .join(User, User.id == ApiToken.user_id)
        .where(ApiToken.token_hash == token_hash, ApiToken.is_valid(), User.is_active)
    ).one_or_none()


def list_tokens(session: Session, user_id: int) -> Sequence[ApiToken]:
    """List a user's tokens, newest first."""
    return session.scalars(select(ApiToken).where(ApiToken.user_id == user_id).order_by(ApiToken.id.desc())).all()
