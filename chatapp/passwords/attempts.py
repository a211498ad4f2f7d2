"""Limits against guessing the password of an account: delays that grow with the number of failed sign-ins.

They hold for the account, from whatever addresses the attempts come. So that nobody can lock the owner out, a browser
in which the user has signed in before has a count of its own: see `chatapp.accounts.devices`.
"""

import math
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, select

from chatapp.actors import Actor
from chatapp.config import current_settings
from chatapp.errors import RateLimited
from chatapp.models import SignInAttempts, now
from chatapp.storage import Transaction, write
from chatapp.tokens import hash_token

FIRST_DELAY_SECONDS = 30
"""The delay after the last attempt without one. Each further failure doubles it."""

FORGET_AFTER = timedelta(days=1)
"""Time after the last failure at which the count starts again."""

MAX_USERNAME_CHARS = 64


@dataclass(frozen=True, slots=True)
class AttemptKey:
    """What failed sign-ins are counted for: an account, which need not exist, or one of its known devices."""

    value: str
    is_known_device: bool


def make_attempt_key(username: str, device: str | None) -> AttemptKey:
    """Return the key of a sign-in to an account, from the known `device` with this id or from an unknown one."""
    if device is not None:
        return AttemptKey(hash_token(f"device {device}"), is_known_device=True)
    return AttemptKey(hash_token(f"account {normalize_attempted(username)}"), is_known_device=False)


def normalize_attempted(username: str) -> str:
    """Return the form in which attempts with a username are counted: equal for all spellings that sign in."""
    return username.strip().lower()[:MAX_USERNAME_CHARS]


def make_confirmation_key(actor: Actor) -> AttemptKey:
    """Return the key of a user's attempts to confirm the password while signed in."""
    return AttemptKey(hash_token(f"confirmation {actor.user_id}"), is_known_device=True)


def count_attempt(key: AttemptKey) -> None:
    """Count an attempt, before the password is verified. A success clears it again: see `clear_attempts`.

    Raises `RateLimited` while attempts are delayed. It does so for accounts that do not exist, too.
    """
    settings = current_settings()
    limit, max_seconds = settings.sign_in_attempts, settings.sign_in_max_delay_seconds
    if limit == 0:
        return

    def change(transaction: Transaction) -> None:
        session = transaction.session
        session.execute(delete(SignInAttempts).where(SignInAttempts.last_at < now() - FORGET_AFTER))
        attempts = session.scalars(
            select(SignInAttempts).where(SignInAttempts.key == key.value).with_for_update()
        ).one_or_none()
        if attempts is None:
            session.add(SignInAttempts(key=key.value, count=1, last_at=now()))
            return
        passed_seconds = (now() - attempts.last_at).total_seconds()
        delay_seconds = compute_delay(attempts.count, limit, max_seconds)
        if passed_seconds < delay_seconds:
            raise _refuse(math.ceil(delay_seconds - passed_seconds), key)
        attempts.count += 1
        attempts.last_at = now()

    write(change)


def clear_attempts(transaction: Transaction, key: AttemptKey) -> None:
    """Forget the failed attempts before a successful sign-in."""
    transaction.session.execute(delete(SignInAttempts).where(SignInAttempts.key == key.value))


def compute_delay(count: int, limit: int, max_seconds: int) -> int:
    """Return the seconds between attempt number `count` and the next one."""
    if count < limit:
        return 0
    # The exponent is bounded: the number of attempts is not.
    return min(FIRST_DELAY_SECONDS << min(count - limit, 30), max_seconds)


def _refuse(seconds: int, key: AttemptKey) -> RateLimited:
    minutes = math.ceil(seconds / 60)
    wait = f"{seconds} seconds" if seconds <= 90 else f"{minutes} minutes"
    advice = "" if key.is_known_device else ", or sign in with a browser in which you have signed in before"
    return RateLimited(f"Too many wrong passwords for this account. Try again in {wait}{advice}.", seconds)
