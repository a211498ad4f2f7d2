"""Queries of accounts, login sessions and the installation."""

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from chatapp.models import Installation, LoginSession, User


def find_login_session(session: Session, token_hash: str) -> tuple[LoginSession, User] | None:
    """Return the login session with this token and its user, or None if it was revoked or the user is banned."""
    row = session.execute(
        select(LoginSession, User)
        .join(User, User.id == LoginSession.user_id)
        .where(LoginSession.token_hash == token_hash, User.is_active)
    ).one_or_none()
    return None if row is None else (row[0], row[1])


def is_set_up(session: Session) -> bool:
    """Return whether the installation has an owner."""
    return get_owner_id(session) is not None


def get_owner_id(session: Session) -> int | None:
    """Return the id of the owner's account, or None before the setup."""
    return session.scalars(select(Installation.owner_id)).one()


def get_invitation_token(session: Session) -> str:
    """Return the token of the invitation link."""
    return session.scalars(select(Installation.invitation_token)).one()


def list_active_users(session: Session) -> Sequence[User]:
    """List the active accounts by display name."""
    return session.scalars(select(User).where(User.is_active).order_by(func.lower(User.name), User.id)).all()


def list_banned_users(session: Session) -> Sequence[User]:
    """List the banned accounts by display name."""
    return session.scalars(select(User).where(~User.is_active).order_by(func.lower(User.name), User.id)).all()


def sends_read_receipts(session: Session, user_id: int) -> bool:
    """Return whether other users see how far the user has read."""
    return session.scalars(select(User.sends_receipts).where(User.id == user_id)).one()
