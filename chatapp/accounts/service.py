"""What is written about accounts."""

from hmac import compare_digest

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from chatapp.accounts.passwords import hash_password, verify_password
from chatapp.accounts.queries import get_invitation_token, get_owner_id
from chatapp.accounts.signals import login_sessions_revoked
from chatapp.actors import Actor
from chatapp.conversations.people import find_active_user
from chatapp.errors import Conflict, Forbidden, Invalid, NotFound
from chatapp.extensions import db
from chatapp.models import Conversation, Installation, LoginSession, Membership, User
from chatapp.models.accounts import USERNAME_PATTERN
from chatapp.models.conversations import GENERAL_ID
from chatapp.timeline import Transaction, write
from chatapp.tokens import hash_token, new_token

RESERVED = frozenset({"all", "channel", "everyone", "here", "system"})
"""Names that mean something in a mention."""
PASSWORD_LENGTH = range(10, 1001)
NAME_LENGTH = 64


def check_username(value: str) -> str:
    """Give the username in lower case. Raises `Invalid` when it is not one."""
    username = value.strip().lower()
    if not USERNAME_PATTERN.fullmatch(username):
        raise Invalid(
            "A username has 1 to 32 of the letters a to z, digits, and “.”, “_” or “-” between them. "
            "The display name can be anything."
        )
    if username in RESERVED:
        raise Invalid(f"“{username}” is reserved. Choose another username.")
    return username


def check_name(value: str) -> str:
    """Give the display name without blanks around it. Raises `Invalid` when it does not fit."""
    name = " ".join(value.split())
    if not name.isprintable() or not 1 <= len(name) <= NAME_LENGTH:
        raise Invalid(f"A display name has 1 to {NAME_LENGTH} printable characters.")
    return name


def check_password(value: str) -> str:
    """Give the password as it is. Raises `Invalid` when it is too short or too long."""
    if len(value) not in PASSWORD_LENGTH:
        raise Invalid(f"A password has at least {PASSWORD_LENGTH[0]} characters, and at most {PASSWORD_LENGTH[-1]}.")
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise Invalid("The password has characters that cannot be typed again.")
    return value


def create_owner(username: str, name: str, password: str) -> int:
    """Make the first account, the owner's, an admin. Gives its id.

    Raises `Conflict` when somebody else was first.
    """
    user = _new_user(username, name, password, role="admin")

    def change(transaction: Transaction) -> int:
        _insert_user(transaction.session, user)
        taken = transaction.session.execute(
            update(Installation)
            .where(Installation.owner_id.is_(None))
            .values(owner_id=user.id)
            .returning(Installation.id)
        ).one_or_none()
        if taken is None:
            raise Conflict("Somebody else has just set chatapp up. Ask them for the invitation link.")
        return user.id

    return write(change)


def create_invited(invitation_token: str, username: str, name: str, password: str) -> int:
    """Make an account for whoever has the invitation link. Gives its id.

    Raises `NotFound` when the link is no longer valid.
    """
    user = _new_user(username, name, password, role="member")

    def change(transaction: Transaction) -> int:
        if not is_invitation(invitation_token, get_invitation_token(transaction.session)):
            raise NotFound("This invitation link is no longer valid. Ask for the new one.")
        _insert_user(transaction.session, user)
        return user.id

    return write(change)


def is_invitation(token: str, current: str) -> bool:
    """Tell whether `token` is the `current` invitation link's, in a time that does not tell how much of it is right."""
    return compare_digest(token.encode(errors="replace"), current.encode())


def create_user(username: str, name: str, password: str, *, is_admin: bool) -> int:
    """Make an account by hand. The first admin is the owner. Gives its id."""
    user = _new_user(username, name, password, role="admin" if is_admin else "member")

    def change(transaction: Transaction) -> int:
        _insert_user(transaction.session, user)
        if is_admin:
            transaction.session.execute(
                update(Installation).where(Installation.owner_id.is_(None)).values(owner_id=user.id)
            )
        return user.id

    return write(change)


def authenticate(username: str, password: str) -> int | None:
    """Give the id of the active account that the password opens, or None."""
    person = find_active_user(db.session(), username.strip())
    # What follows waits for another thread: the reader's connection is given back first.
    db.session.close()
    is_right = verify_password(person.password_hash if person else None, password)
    return person.id if person and is_right else None


def start_login_session(user_id: int) -> str:
    """Sign a person in on one browser. Gives the token for its cookie."""
    token = new_token()
    write(lambda transaction: transaction.session.add(LoginSession(user_id=user_id, token_hash=hash_token(token))))
    return token


def end_login_session(actor: Actor) -> None:
    """Sign a person out where they act from."""
    session_id = actor.login_session_id
    if session_id is None:
        return

    def change(transaction: Transaction) -> None:
        transaction.session.execute(delete(LoginSession).where(LoginSession.id == session_id))
        transaction.send_revocation(login_sessions_revoked, [session_id])

    write(change)


def change_name(actor: Actor, name: str) -> None:
    """Set a person's display name. Raises `Invalid`."""
    checked = check_name(name)
    write(
        lambda transaction: transaction.session.execute(
            update(User).where(User.id == actor.user_id).values(name=checked)
        )
    )


def change_receipts(actor: Actor, *, are_sent: bool) -> None:
    """Set whether others are told how far a person has read."""
    write(
        lambda transaction: transaction.session.execute(
            update(User).where(User.id == actor.user_id).values(sends_receipts=are_sent)
        )
    )


def change_password(actor: Actor, current: str, new: str) -> None:
    """Set a person's password and end their sessions elsewhere.

    Raises `Forbidden` when `current` is wrong, `Invalid` when `new` does not fit.
    """
    old_hash = db.session.scalars(select(User.password_hash).where(User.id == actor.user_id)).one()
    db.session.close()
    if not verify_password(old_hash, current):
        raise Forbidden("That is not your current password.")
    new_hash = hash_password(check_password(new))

    def change(transaction: Transaction) -> None:
        transaction.session.execute(update(User).where(User.id == actor.user_id).values(password_hash=new_hash))
        _revoke_login_sessions(
            transaction, LoginSession.user_id == actor.user_id, LoginSession.id != actor.login_session_id
        )

    write(change)


def ban(username: str) -> None:
    """Let a person in no longer, and end what they have open. What they said stays; `unban()` undoes it.

    Raises `NotFound`, and `Forbidden` for the owner.
    """

    def change(transaction: Transaction) -> None:
        session = transaction.session
        person = _get_person(session, username)
        if person.id == get_owner_id(session):
            raise Forbidden("Nobody can ban the owner of this installation.")
        person.is_active = False
        _revoke_login_sessions(transaction, LoginSession.user_id == person.id)

    write(change)


def unban(username: str) -> None:
    """Let a banned person sign in again. Raises `NotFound`."""

    def change(transaction: Transaction) -> None:
        _get_person(transaction.session, username).is_active = True

    write(change)


def _revoke_login_sessions(transaction: Transaction, *which: ColumnElement[bool]) -> None:
    ended = transaction.session.scalars(delete(LoginSession).where(*which).returning(LoginSession.id)).all()
    transaction.send_revocation(login_sessions_revoked, list(ended))


def _get_person(session: Session, username: str) -> User:
    name = username.strip().removeprefix("@").lower()
    person = session.scalars(select(User).where(User.username == name)).one_or_none()
    if person is None:
        raise NotFound(f"There is no account called “{name}”.")
    return person


def rotate_invitation() -> None:
    """Make a new invitation link; the old one lets nobody in any longer."""
    write(lambda transaction: transaction.session.execute(update(Installation).values(invitation_token=new_token())))


def _new_user(username: str, name: str, password: str, role: str) -> User:
    checked = check_username(username)
    return User(
        username=checked,
        name=check_name(name or checked),
        password_hash=hash_password(check_password(password)),
        role=role,
    )


def _insert_user(session: Session, user: User) -> None:
    session.add(user)
    try:
        session.flush()
    except IntegrityError:
        raise Conflict(f"The username “{user.username}” is taken. Choose another one.") from None
    # What was said before somebody came is not unread.
    last_event = select(Conversation.last_event).where(Conversation.id == GENERAL_ID).scalar_subquery()
    session.add(Membership(conversation_id=GENERAL_ID, user_id=user.id, last_read_seq=last_event))
