"""Creating and changing accounts, login sessions and the invitation link."""

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, delete, not_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from chatapp.accounts.invitations import use_invitation
from chatapp.accounts.queries import get_owner_id, get_user
from chatapp.accounts.signals import login_sessions_revoked
from chatapp.actors import Actor, require_active_login, require_admin
from chatapp.audit_log import AuditKind, record
from chatapp.config import current_settings
from chatapp.config.assistants import current_assistants
from chatapp.conversations.managers import replace_manager
from chatapp.conversations.name_space import (
    list_assistant_names,
    require_free_display_name,
    require_free_username,
)
from chatapp.conversations.people import find_active_user
from chatapp.credentials import revoke_credentials, revoke_invitations, revoke_tokens
from chatapp.errors import ChatError, Conflict, Forbidden, Invalid, NotFound
from chatapp.extensions import db
from chatapp.models import ApiToken, Conversation, Installation, LoginSession, Membership, User, now
from chatapp.models.accounts import USERNAME_PATTERN
from chatapp.models.conversations import GENERAL_ID
from chatapp.passwords.attempts import AttemptKey, clear_attempts, count_attempt, make_attempt_key
from chatapp.passwords.confirmation import MAX_PASSWORD_CHARS, confirm_password
from chatapp.passwords.hashes import hash_password, verify_password
from chatapp.passwords.strength import explain_weakness
from chatapp.revocations import revoke
from chatapp.storage import Transaction, write
from chatapp.text import clean_line
from chatapp.tokens import hash_token, new_token

RESERVED_USERNAMES = frozenset({"all", "channel", "everyone", "here", "invitations", "system"})
"""Names with a meaning of their own in mentions, or in the path of a profile."""

MAX_DEVICE_CHARS = 200

LAST_SEEN_INTERVAL = timedelta(minutes=10)
"""`last_seen_at` of a login session is updated at most once in this time."""

MIN_PASSWORD_CHARS = 10
MAX_DISPLAY_NAME_CHARS = 64


def check_username(value: str) -> str:
    """Return the username in lower case. Raises `Invalid`."""
    username = value.strip().lower()
    if not USERNAME_PATTERN.fullmatch(username):
        raise Invalid(
            "A username must have 1 to 32 characters: letters from a to z and digits, with “.”, “_” or “-” between "
            "them. The display name has no such limits."
        )
    if username in RESERVED_USERNAMES:
        raise Invalid(f"“{username}” is reserved. Choose another username.")
    return username


def check_display_name(value: str) -> str:
    """Return the display name with white space collapsed. Raises `Invalid`."""
    return clean_line(value, "A display name", max_chars=MAX_DISPLAY_NAME_CHARS)


def check_password(value: str, *names: str) -> str:
    """Return the password unchanged. `names` are those of the user. Raises `Invalid`, also if it is easy to guess."""
    if not MIN_PASSWORD_CHARS <= len(value) <= MAX_PASSWORD_CHARS:
        raise Invalid(
            f"A password must have at least {MIN_PASSWORD_CHARS} characters, and at most {MAX_PASSWORD_CHARS}."
        )
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise Invalid("The password contains characters that cannot be typed.")
    if reason := explain_weakness(value, names):
        raise Invalid(f"This password is too easy to guess. {reason} Use several words that do not belong together.")
    return value


def create_owner(username: str, name: str, password: str, *, address: str | None = None) -> int:
    """Create the first account, which is the owner's and an admin. Return its id. `address` is the visitor's.

    Raises `Invalid`, and `Conflict` if there is an owner already.
    """
    user, assistant_names = _make_user(username, name, password, role="admin"), _list_assistant_names()

    def change(transaction: Transaction) -> int:
        _insert_user(transaction.session, user, assistant_names)
        updated = transaction.session.execute(
            update(Installation)
            .where(Installation.owner_id.is_(None))
            .values(owner_id=user.id)
            .returning(Installation.id)
        ).one_or_none()
        if updated is None:
            raise Conflict("Someone else has just set up chatapp. Ask them for the invitation link.")
        _record_creation(transaction, user, Actor(user.id, address=address))
        return user.id

    return write(change)


def create_invited_user(
    invitation_token: str, username: str, name: str, password: str, *, address: str | None = None
) -> int:
    """Create an account with the token of the invitation link. Return its id. `address` is the visitor's.

    Raises `Invalid`, `Conflict` if the username is taken, and `NotFound` if the link is no longer valid.
    """
    user, assistant_names = _make_user(username, name, password, role="member"), _list_assistant_names()

    def change(transaction: Transaction) -> int:
        invitation_id = use_invitation(transaction.session, invitation_token)
        _insert_user(transaction.session, user, assistant_names)
        _record_creation(transaction, user, Actor(user.id, address=address), f" by invitation {invitation_id}")
        return user.id

    return write(change)


def create_user(username: str, name: str, password: str, *, is_admin: bool) -> int:
    """Create an account on the command line. The first admin becomes the owner. Return its id.

    Raises `Invalid`, and `Conflict` if the username is taken.
    """
    user = _make_user(username, name, password, role="admin" if is_admin else "member")
    assistant_names = _list_assistant_names()

    def change(transaction: Transaction) -> int:
        _insert_user(transaction.session, user, assistant_names)
        if is_admin:
            transaction.session.execute(
                update(Installation).where(Installation.owner_id.is_(None)).values(owner_id=user.id)
            )
        _record_creation(transaction, user, None)
        return user.id

    return write(change)


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
        if not _revoke_login_sessions(transaction, LoginSession.id == login_session_id, is_own):
            raise NotFound("There is no such login session.")
        record(transaction, AuditKind.LOGIN_SESSION_REVOKED, actor)

    write(change)


def end_other_login_sessions(actor: Actor) -> None:
    """End the user's login sessions but the one through which they act. Raises `SignedOut`."""

    def change(transaction: Transaction) -> None:
        require_active_login(transaction.session, actor)
        others = LoginSession.user_id == actor.user_id, LoginSession.id != actor.login_session_id
        if count := _revoke_login_sessions(transaction, *others):
            record(transaction, AuditKind.LOGIN_SESSION_REVOKED, actor, target=f"{count} others")

    write(change)


def record_login_use(login_session_ids: Collection[int]) -> None:
    """Record that login sessions are in use, which prolongs them. Those recorded a moment ago are left alone."""
    idle_duration = timedelta(days=current_settings().login_idle_days)

    def change(transaction: Transaction) -> None:
        transaction.session.execute(
            update(LoginSession)
            .where(LoginSession.id.in_(login_session_ids), LoginSession.last_seen_at < now() - LAST_SEEN_INTERVAL)
            .values(last_seen_at=now(), idle_expires_at=now() + idle_duration)
        )

    # What people do must not fail because nothing can be written at the moment.
    with suppress(ChatError):
        write(change)


def end_expired_login_sessions() -> None:
    """Delete the login sessions that have expired, which closes their sockets."""
    expired = not_(LoginSession.is_valid())
    if db.session.scalars(select(LoginSession.id).where(expired).limit(1)).first() is not None:
        write(lambda transaction: _revoke_login_sessions(transaction, expired))


def change_display_name(actor: Actor, name: str) -> None:
    """Change a user's display name. Raises `Invalid`, `Conflict`, `SignedOut`."""
    checked, assistant_names = check_display_name(name), _list_assistant_names()

    def change(transaction: Transaction) -> None:
        require_free_display_name(transaction.session, checked, assistant_names)
        _update_user(transaction, actor, name=checked)

    write(change)


def change_read_receipts(actor: Actor, *, are_sent: bool) -> None:
    """Set whether other users see how far a user has read."""
    write(lambda transaction: _update_user(transaction, actor, sends_receipts=are_sent))


def _update_user(transaction: Transaction, actor: Actor, **values: object) -> None:
    """Set columns of the user who acts. Raises `SignedOut`."""
    require_active_login(transaction.session, actor)
    transaction.session.execute(update(User).where(User.id == actor.user_id).values(values))


def change_password(actor: Actor, current: str, new: str) -> None:
    """Change a user's password, and revoke their other login sessions and all their API tokens.

    Raises `Forbidden` if `current` is wrong, `RateLimited` after too many wrong ones, `Invalid` if `new` is not
    acceptable, and `SignedOut`.
    """
    username, display_name = db.session.execute(select(User.username, User.name).where(User.id == actor.user_id)).one()
    confirm_password(actor, current)
    new_hash = hash_password(check_password(new, username, display_name))

    def change(transaction: Transaction) -> None:
        require_active_login(transaction.session, actor)
        transaction.session.execute(update(User).where(User.id == actor.user_id).values(password_hash=new_hash))
        _revoke_login_sessions(
            transaction, LoginSession.user_id == actor.user_id, LoginSession.id != actor.login_session_id
        )
        revoke_tokens(transaction, actor, ApiToken.user_id == actor.user_id)
        record(transaction, AuditKind.PASSWORD_CHANGED, actor, target=f"@{username}")

    write(change)


def reset_password(username: str, new: str) -> None:
    """Set a user's password on the command line, and revoke all their login sessions and API tokens.

    Failed sign-ins to the account are forgotten. Raises `NotFound`, and `Invalid` if the password is not acceptable.
    """
    user = get_user(db.session(), username)
    user_id, username, checked = user.id, user.username, check_password(new, user.username, user.name)
    db.session.close()
    new_hash = hash_password(checked)

    def change(transaction: Transaction) -> None:
        transaction.session.execute(update(User).where(User.id == user_id).values(password_hash=new_hash))
        _revoke_login_sessions(transaction, LoginSession.user_id == user_id)
        revoke_tokens(transaction, None, ApiToken.user_id == user_id)
        clear_attempts(transaction, make_attempt_key(username, None))
        record(transaction, AuditKind.PASSWORD_CHANGED, None, target=f"@{username}")

    write(change)


def end_login_sessions(username: str | None) -> int:
    """End the login sessions of a user, or of everybody, on the command line. Return how many. Raises `NotFound`."""

    def change(transaction: Transaction) -> int:
        user = None if username is None else get_user(transaction.session, username)
        count = _revoke_login_sessions(transaction, *([LoginSession.user_id == user.id] if user else []))
        if count:
            target = f"{count} of @{user.username}" if user else f"all {count}"
            record(transaction, AuditKind.LOGIN_SESSION_REVOKED, None, target=target)
        return count

    return write(change)


def ban(actor: Actor | None, username: str, *, revokes_invitations: bool = False) -> None:
    """Ban a user: refuse further sign-ins, revoke all login sessions, API tokens and share links, suspend webhooks.

    The user's messages stay. A room without another manager gets one. `revokes_invitations` revokes all invitations
    too, of which the user may know one. `actor` is None on the command line. Raises `NotFound`, and `Forbidden` unless
    the actor is an admin, and for the owner.
    """

    def change(transaction: Transaction) -> None:
        session = transaction.session
        if actor is not None:
            require_admin(session, actor)
        user = get_user(session, username)
        if user.id == get_owner_id(session):
            raise Forbidden("The owner of this installation cannot be banned.")
        user.is_active = False
        session.flush()
        replace_manager(transaction, actor, user.id)
        _revoke_login_sessions(transaction, LoginSession.user_id == user.id)
        revoke_credentials(transaction, actor, user.id)
        if revokes_invitations:
            revoke_invitations(transaction, actor)
        record(transaction, AuditKind.USER_BANNED, actor, target=f"@{user.username}")

    write(change)


def unban(actor: Actor | None, username: str) -> None:
    """Allow a banned user to sign in again. What the ban revoked or suspended stays so.

    `actor` is None on the command line. Raises `NotFound`, and `Forbidden` unless the actor is an admin.
    """

    def change(transaction: Transaction) -> None:
        if actor is not None:
            require_admin(transaction.session, actor)
        user = get_user(transaction.session, username)
        user.is_active = True
        record(transaction, AuditKind.USER_UNBANNED, actor, target=f"@{user.username}")

    write(change)


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
    if _revoke_login_sessions(transaction, LoginSession.id == actor.login_session_id):
        record(transaction, AuditKind.SIGN_OUT, actor)


def _revoke_login_sessions(transaction: Transaction, *conditions: ColumnElement[bool]) -> int:
    """Revoke the login sessions that match, and return how many there were."""
    statement = delete(LoginSession).where(*conditions).returning(LoginSession.id)
    revoked = transaction.session.scalars(statement).all()
    revoke(transaction, login_sessions_revoked, list(revoked))
    return len(revoked)


def _record_creation(transaction: Transaction, user: User, actor: Actor | None, detail: str = "") -> None:
    record(transaction, AuditKind.USER_CREATED, actor, target=f"@{user.username}{detail}")
    if user.role != "member":
        record(transaction, AuditKind.USER_ROLE_CHANGED, actor, target=f"@{user.username} is an {user.role}")


def _make_user(username: str, name: str, password: str, role: str) -> User:
    checked = check_username(username)
    return User(
        username=checked,
        name=check_display_name(name or checked),
        password_hash=hash_password(check_password(password, username, name)),
        role=role,
    )


def _list_assistant_names() -> frozenset[str]:
    # Outside of a change, which has no application context.
    return list_assistant_names(current_assistants().values())


def _insert_user(session: Session, user: User, assistant_names: Collection[str]) -> None:
    require_free_username(session, user.username, assistant_names)
    require_free_display_name(session, user.name, assistant_names)
    session.add(user)
    try:
        session.flush()
    except IntegrityError:
        raise Conflict(f"The username “{user.username}” is taken. Choose another one.") from None
    # Messages from before the account was created do not count as unread.
    last_event = select(Conversation.last_event).where(Conversation.id == GENERAL_ID).scalar_subquery()
    session.add(Membership(conversation_id=GENERAL_ID, user_id=user.id, last_read_seq=last_event))
