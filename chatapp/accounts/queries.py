"""Queries of accounts, login sessions and the installation."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Select, and_, bindparam, func, select
from sqlalchemy.orm import Session

from chatapp.conversations.people import name_contains
from chatapp.credentials import is_webhook_of
from chatapp.errors import NotFound
from chatapp.models import ApiToken, IncomingWebhook, Installation, LoginSession, OutgoingWebhook, ShareLink, User, now
from chatapp.models.base import UtcDateTime
from chatapp.storage import ReadStatement

PEOPLE_PAGE_SIZE = 50
"""Number of people on a page that lists them."""

MAX_PEOPLE_PAGES = 10_000

_LOGIN_SESSIONS, _USERS = LoginSession.__table__, User.__table__

_VALID_LOGINS = (
    select(
        _LOGIN_SESSIONS.c.id,
        _LOGIN_SESSIONS.c.last_seen_at,
        _USERS.c.id,
        _USERS.c.username,
        _USERS.c.name,
        _USERS.c.role,
        _USERS.c.avatar_digest,
    )
    .select_from(_LOGIN_SESSIONS.join(_USERS, _USERS.c.id == _LOGIN_SESSIONS.c.user_id))
    .where(LoginSession.is_valid(bindparam("now", type_=UtcDateTime())), _USERS.c.is_active)
)
_FIND_LOGIN = ReadStatement(_VALID_LOGINS.where(_LOGIN_SESSIONS.c.token_hash == bindparam("token_hash")))
_FIND_LOGINS = _VALID_LOGINS.add_columns(_LOGIN_SESSIONS.c.token_hash).where(
    _LOGIN_SESSIONS.c.token_hash.in_(bindparam("token_hashes", expanding=True))
)


class Login(NamedTuple):
    """A valid login session and its user."""

    id: int
    last_seen_at: datetime
    user_id: int
    username: str
    name: str
    role: str
    avatar_digest: str | None

    @property
    def is_admin(self) -> bool:
        """Whether the user administers the installation."""
        return self.role == "admin"


def find_login(session: Session, token_hash: str) -> Login | None:
    """Return the login session with this token; None if it was revoked or has expired, or if the user is banned."""
    rows = _FIND_LOGIN.fetch(session, token_hash=token_hash, now=now())
    return Login(*rows[0]) if rows else None


def find_logins(session: Session, token_hashes: Collection[str]) -> dict[str, Login]:
    """Return the login sessions that `find_login` would, by the hashes of their tokens."""
    parameters = {"token_hashes": list(token_hashes), "now": now()}
    rows = session.connection().execute(_FIND_LOGINS, parameters)
    return {token_hash: Login(*columns) for *columns, token_hash in rows}


def list_login_sessions(session: Session, user_id: int) -> Sequence[LoginSession]:
    """List a user's valid login sessions, the last used first."""
    return session.scalars(
        select(LoginSession)
        .where(LoginSession.user_id == user_id, LoginSession.is_valid())
        .order_by(LoginSession.last_seen_at.desc(), LoginSession.id.desc())
    ).all()


def is_set_up(session: Session) -> bool:
    """Return whether the installation has an owner."""
    return get_owner_id(session) is not None


def get_owner_id(session: Session) -> int | None:
    """Return the id of the owner's account, or None before the setup."""
    return session.scalars(select(Installation.owner_id)).one()


def get_user(session: Session, username: str) -> User:
    """Return the account with this username, banned or not. Raises `NotFound`."""
    name = username.strip().removeprefix("@").lower()
    # PostgreSQL accepts no NUL in a query.
    user = None if "\0" in name else session.scalars(select(User).where(User.username == name)).one_or_none()
    if user is None:
        raise NotFound(f"There is no account called “{name}”.")
    return user


@dataclass(frozen=True, slots=True)
class CredentialCounts:
    """How many of each kind a ban of the user revokes or suspends."""

    tokens: int
    share_links: int
    webhooks: int


def count_credentials(session: Session, user_id: int) -> CredentialCounts:
    """Count what a ban of the user revokes or suspends."""
    counts = [
        session.scalars(select(func.count()).select_from(model).where(condition)).one()
        for model, condition in (
            (ApiToken, ApiToken.user_id == user_id),
            (ShareLink, ShareLink.creator_id == user_id),
            (IncomingWebhook, and_(IncomingWebhook.suspended_at.is_(None), is_webhook_of(IncomingWebhook, user_id))),
            (OutgoingWebhook, and_(OutgoingWebhook.suspended_at.is_(None), is_webhook_of(OutgoingWebhook, user_id))),
        )
    ]
    return CredentialCounts(counts[0], counts[1], counts[2] + counts[3])


def list_users(session: Session, text: str, *, page: int) -> tuple[Sequence[User], bool]:
    """Return a page of the active accounts whose names contain `text`, by display name, and whether more follow."""
    return _list_page(session, _select_named(text).where(User.is_active), page)


def list_banned_users(session: Session, text: str, *, page: int) -> tuple[Sequence[User], bool]:
    """Return a page of the banned accounts whose names contain `text`, by display name, and whether more follow."""
    return _list_page(session, _select_named(text).where(~User.is_active), page)


def _select_named(text: str) -> Select[User]:
    return select(User).where(name_contains(text)).order_by(func.lower(User.name), User.id)


def _list_page(session: Session, query: Select[User], page: int) -> tuple[Sequence[User], bool]:
    offset = (page - 1) * PEOPLE_PAGE_SIZE
    users = session.scalars(query.offset(offset).limit(PEOPLE_PAGE_SIZE + 1)).all()
    return users[:PEOPLE_PAGE_SIZE], len(users) > PEOPLE_PAGE_SIZE


def sends_read_receipts(session: Session, user_id: int) -> bool:
    """Return whether other users see how far the user has read."""
    return session.scalars(select(User.sends_receipts).where(User.id == user_id)).one()
