"""How direct conversations and their people are found."""

from collections.abc import Collection, Sequence

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from chatapp.conversations.people import Person
from chatapp.models import Block, User
from chatapp.models.accounts import USERNAME_PATTERN

FOUND = 50
"""People that a search lists at the most."""


def find_named(session: Session, usernames: Collection[str]) -> Sequence[Person]:
    """Find the people of these names, in whatever case they are written."""
    lowered = {lower for username in usernames if USERNAME_PATTERN.fullmatch(lower := username.lower())}
    return [Person.of(user) for user in session.scalars(select(User).where(User.username.in_(lowered)))]


def search_people(session: Session, words: str) -> Sequence[Person]:
    """List people whose name or username has `words` in it, in whatever case; everybody for none."""
    wanted = words.strip().removeprefix("@").lower()
    query = select(User).where(
        User.is_active,
        or_(func.lower(User.name).contains(wanted, autoescape=True), User.username.contains(wanted, autoescape=True)),
    )
    return [Person.of(user) for user in session.scalars(query.order_by(func.lower(User.name), User.id).limit(FOUND))]


def has_blocked(session: Session, blocker_id: int, blocked_id: int) -> bool:
    """Tell whether one person takes no direct messages from the other."""
    return session.get(Block, (blocker_id, blocked_id)) is not None
