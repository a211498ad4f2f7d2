"""Creating, changing and banning accounts."""

from collections.abc import Collection

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from chatapp.accounts.invitations import use_invitation
from chatapp.accounts.login_sessions import revoke_login_sessions
from chatapp.accounts.queries import get_owner_id, get_user
from chatapp.actors import Actor, require_active_login, require_admin
from chatapp.audit_log import AuditKind, record
from chatapp.config.assistants import current_assistants
from chatapp.conversations.managers import replace_manager
from chatapp.conversations.name_space import (
    list_assistant_names,
    require_free_display_name,
    require_free_username,
)
from chatapp.credentials import revoke_credentials, revoke_invitations, revoke_tokens
from chatapp.errors import Conflict, Forbidden, Invalid
from chatapp.extensions import db
from chatapp.models import ApiToken, Conversation, Installation, LoginSession, Membership, User
from chatapp.models.accounts import USERNAME_PATTERN
from chatapp.models.conversations import GENERAL_ID
from chatapp.passwords.attempts import clear_attempts, make_attempt_key
from chatapp.passwords.confirmation import MAX_PASSWORD_CHARS, confirm_password
from chatapp.passwords.hashes import hash_password
from chatapp.passwords.strength import explain_weakness
from chatapp.storage import Transaction, write
from chatapp.text import clean_line

RESERVED_USERNAMES = frozenset({"all", "channel", "everyone", "here", "invitations", "system"})
"""Names with a meaning of their own in mentions, or in the path of a profile."""


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


def change_display_name(actor: Actor, name: str) -> None:
    """Change a user's display name. Raises `Invalid`, `Conflict`, `SignedOut`."""
    checked, assistant_names = check_display_name(name), _list_assistant_names()

    def change(transaction: Transaction) -> None:
        require_free_display_name(transaction.session, checked, assistant_names)
        _update_user(transaction, actor, name=checked)
        transaction.session.execute(update(Installation).values(people_version=Installation.people_version + 1))

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
        revoke_login_sessions(
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
        revoke_login_sessions(transaction, LoginSession.user_id == user_id)
        revoke_tokens(transaction, None, ApiToken.user_id == user_id)
        clear_attempts(transaction, make_attempt_key(username, None))
        record(transaction, AuditKind.PASSWORD_CHANGED, None, target=f"@{username}")

    write(change)


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
        revoke_login_sessions(transaction, LoginSession.user_id == user.id)
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
