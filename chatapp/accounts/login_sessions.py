"""Login sessions: signing in and out, their use and their end."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, delete, not_, select, update
from sqlalchemy.orm import Session

from chatapp.accounts.queries import get_user
from chatapp.accounts.signals import login_sessions_revoked
from chatapp.actors import Actor, require_active_login
from chatapp.audit_log import AuditKind, record
from chatapp.config import current_settings
from chatapp.conversations.people import find_active_user
from chatapp.errors import Forbidden, NotFound
from chatapp.extensions import db
from chatapp.models import LoginSession, User, now
from chatapp.passwords.attempts import AttemptKey, clear_attempts, count_attempt
from chatapp.passwords.hashes import verify_password
from chatapp.revocations import revoke
from chatapp.storage import Transaction, write, write_later
from chatapp.tokens import hash_token, new_token

MAX_DEVICE_CHARS = 200

LAST_SEEN_INTERVAL = timedelta(minutes=10)
"""`last_seen_at` of a login session is updated at most once in this time."""


@dataclass(frozen=True, slots=True)
class VerifiedPassword:
    """A user whose password was verified, and the hash with which it was."""

    user_id: int
    password_hash: str


def authenticate(username: str, password: str, key: AttemptKey) -> VerifiedPassword | None:
    """Return the active account with this username and password, or None.

    Raises `RateLimited` after too many failed attempts that are counted for `key`.
    """
    count_attempt(key)
    user = find_active_user(db.session(), username.strip())
    # Return the connection to the pool before waiting for another thread.
    db.session.close()
    is_right = verify_password(user.password_hash if user else None, password)
    return VerifiedPassword(user.id, user.password_hash) if user and is_right else None


def create_login_session(
    user_id: int,
    *,
    verified: VerifiedPassword | None = None,
    address: str | None = None,
    device: str = "",
    key: AttemptKey | None = None,
    replaces: Actor | None = None,
) -> str:
    """Create a login session and return its token, which the cookie carries.

    `address` and `device` are the user's; `key` is that of the attempts to sign in, which are forgotten. `replaces` is
    the actor of the former login session of this browser, which ends.

    Raises `Forbidden` if the user was banned since, or the password changed after it was `verified`.
    """
    token, settings = new_token(), current_settings()
    login_session = LoginSession(
        user_id=user_id,
        token_hash=hash_token(token),
        device=device[:MAX_DEVICE_CHARS],
        idle_expires_at=now() + timedelta(days=settings.login_idle_days),
        expires_at=now() + timedelta(days=settings.login_max_days),
    )

    def change(transaction: Transaction) -> str:
        password_hash = _lock_active_user(transaction.session, user_id)
        if verified is not None and password_hash != verified.password_hash:
            raise wrong_credentials()
        if replaces is not None:
            _sign_out(transaction, replaces)
        transaction.session.add(login_session)
        if key is not None:
            clear_attempts(transaction, key)
        record(transaction, AuditKind.SIGN_IN, Actor(user_id, address=address))
        return token

    return write(change)


def revoke_login_session(actor: Actor) -> None:
    """Revoke the login session through which a user acts."""
    write(lambda transaction: _sign_out(transaction, actor))


def end_login_session(actor: Actor, login_session_id: int) -> None:
    """End one of the user's own login sessions. Raises `NotFound`, `SignedOut`."""

    def change(transaction: Transaction) -> None:
        require_active_login(transaction.session, actor)
        is_own = LoginSession.user_id == actor.user_id
        if not revoke_login_sessions(transaction, LoginSession.id == login_session_id, is_own):
            raise NotFound("There is no such login session.")
        record(transaction, AuditKind.LOGIN_SESSION_REVOKED, actor)

    write(change)


def end_other_login_sessions(actor: Actor) -> None:
    """End the user's login sessions but the one through which they act. Raises `SignedOut`."""

    def change(transaction: Transaction) -> None:
        require_active_login(transaction.session, actor)
        others = LoginSession.user_id == actor.user_id, LoginSession.id != actor.login_session_id
        if count := revoke_login_sessions(transaction, *others):
            record(transaction, AuditKind.LOGIN_SESSION_REVOKED, actor, target=f"{count} others")

    write(change)


def end_login_sessions(username: str | None) -> int:
    """End the login sessions of a user, or of everybody, on the command line. Return how many. Raises `NotFound`."""

    def change(transaction: Transaction) -> int:
        user = None if username is None else get_user(transaction.session, username)
        count = revoke_login_sessions(transaction, *([LoginSession.user_id == user.id] if user else []))
        if count:
            target = f"{count} of @{user.username}" if user else f"all {count}"
            record(transaction, AuditKind.LOGIN_SESSION_REVOKED, None, target=target)
        return count

    return write(change)


def revoke_login_sessions(transaction: Transaction, *conditions: ColumnElement[bool]) -> int:
    """Revoke the login sessions that match, and return how many there were."""
    statement = delete(LoginSession).where(*conditions).returning(LoginSession.id)
    revoked = transaction.session.scalars(statement).all()
    revoke(transaction, login_sessions_revoked, list(revoked))
    return len(revoked)


def record_login_use(login_session_ids: Collection[int]) -> None:
    """Record that login sessions are in use, which prolongs them. Those recorded a moment ago are left alone."""
    idle_duration = timedelta(days=current_settings().login_idle_days)

    def change(transaction: Transaction) -> None:
        transaction.session.execute(
            update(LoginSession)
            .where(LoginSession.id.in_(login_session_ids), LoginSession.last_seen_at < now() - LAST_SEEN_INTERVAL)
            .values(last_seen_at=now(), idle_expires_at=now() + idle_duration)
        )

    write_later(change)


def end_expired_login_sessions() -> None:
    """Delete the login sessions that have expired, which closes their sockets."""
    expired = not_(LoginSession.is_valid())
    if db.session.scalars(select(LoginSession.id).where(expired).limit(1)).first() is not None:
        write(lambda transaction: revoke_login_sessions(transaction, expired))


def wrong_credentials() -> Forbidden:
    """Return the same error for a wrong password, an account that does not exist and one that is banned."""
    return Forbidden("Wrong username or password.")


def _lock_active_user(session: Session, user_id: int) -> str:
    """Return a user's password hash. Raises `Forbidden` if the user is banned.

    Another process that bans the user or changes the password waits until this transaction ends.
    """
    active = select(User.password_hash).where(User.id == user_id, User.is_active).with_for_update(read=True)
    password_hash = session.scalars(active).one_or_none()
    if password_hash is None:
        raise wrong_credentials()
    return password_hash


def _sign_out(transaction: Transaction, actor: Actor) -> None:
    if revoke_login_sessions(transaction, LoginSession.id == actor.login_session_id):
        record(transaction, AuditKind.SIGN_OUT, actor)
