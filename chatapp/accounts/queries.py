"""How people and the installation are found."""

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from chatapp.models import Installation, LoginSession, User


def find_signed_in(session: Session, token_hash: str) -> tuple[LoginSession, User] | None:
    """Find the session with that token, and whose it is, if it still lets them in."""
    row = session.execute(
        select(LoginSession, User)
        .join(User, User.id == LoginSession.user_id)
        .where(LoginSession.token_hash == token_hash, User.is_active)
    ).one_or_none()
    return None if row is None else (row[0], row[1])


def is_set_up(session: Session) -> bool:
    """Tell whether the installation has its owner."""
    return get_owner_id(session) is not None


def get_owner_id(session: Session) -> int | None:
    """Give the owner's account; None before there is one."""
    return session.scalars(select(Installation.owner_id)).one()


def get_invitation_token(session: Session) -> str:
    """Give the token of the invitation link."""
    return session.scalars(select(Installation.invitation_token)).one()


def list_people(session: Session) -> Sequence[User]:
    """List the active accounts by display name."""
    return session.scalars(select(User).where(User.is_active).order_by(func.lower(User.name), User.id)).all()


def list_banned(session: Session) -> Sequence[User]:
    """List the accounts that are let in no longer, by display name."""
    return session.scalars(select(User).where(~User.is_active).order_by(func.lower(User.name), User.id)).all()


def sends_receipts(session: Session, user_id: int) -> bool:
    """Tell whether others are told how far the person has read."""
    return session.scalars(select(User.sends_receipts).where(User.id == user_id)).one()
