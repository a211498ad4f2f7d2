"""Asking a user who is signed in for the password again, before something that a thief of the session must not do."""

from sqlalchemy import select

from chatapp.actors import Actor
from chatapp.audit_log import AuditKind, record_failed_sign_in
from chatapp.errors import Forbidden
from chatapp.extensions import db
from chatapp.models import User
from chatapp.passwords.attempts import clear_attempts, count_attempt, make_confirmation_key
from chatapp.passwords.hashes import verify_password
from chatapp.storage import write

MAX_PASSWORD_CHARS = 1_000


def confirm_password(actor: Actor, password: str) -> None:
    """Raise `Forbidden` unless this is the user's password, and `RateLimited` after too many failed attempts."""
    username, password_hash = db.session.execute(
        select(User.username, User.password_hash).where(User.id == actor.user_id)
    ).one()
    key = make_confirmation_key(actor)
    count_attempt(key)
    if not verify_password(password_hash, password):
        record_failed_sign_in(username, actor.address, AuditKind.PASSWORD_CHANGE_FAILED)
        raise Forbidden("That is not your current password.")
    write(lambda transaction: clear_attempts(transaction, key))
