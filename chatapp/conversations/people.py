"""Users as other users see them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

from sqlalchemy import ColumnElement, literal, or_, select
from sqlalchemy.orm import Session

from chatapp.errors import Invalid, NotFound
from chatapp.models import User
from chatapp.models.accounts import USERNAME_PATTERN
from chatapp.storage import contains_folded

CACHED_PEOPLE = 1_000

MAX_PEOPLE = 10
"""Maximum number of people in a direct conversation, including the user who starts it."""


@dataclass(frozen=True, slots=True)
class Person:
    """A user as other users see them."""

    id: int
    username: str
    name: str
    avatar_digest: str | None = None
    """The digest of the picture; None if the initials are shown."""

    @classmethod
    def of(cls, user: User) -> Self:
        """Create the value from a row."""
        return cls(user.id, user.username, user.name, user.avatar_digest)

    def to_fields(self) -> dict[str, int | str]:
        """Return its fields as JSON. The version before pictures can read those of a user without one."""
        fields: dict[str, int | str] = {"id": self.id, "username": self.username, "name": self.name}
        return fields if self.avatar_digest is None else fields | {"avatar_digest": self.avatar_digest}


_USERS = User.__table__

# Columns of the table: to execute a statement with those of the ORM takes longer.
PERSON_COLUMNS = (_USERS.c.id, _USERS.c.username, _USERS.c.name, _USERS.c.avatar_digest)

make_person = lru_cache(CACHED_PEOPLE)(Person)
"""Return the `Person` with the values of `PERSON_COLUMNS`. Most messages have senders that are known already."""


def find_active_user(session: Session, username: str) -> User | None:
    """Find the active account with this username, which may be written in any case."""
    return find_active_users(session, [username]).get(username.lower())


def find_active_users(session: Session, usernames: Iterable[str]) -> Mapping[str, User]:
    """Find the active accounts with these usernames, which may be written in any case."""
    valid = {lowered for username in usernames if USERNAME_PATTERN.fullmatch(lowered := username.lower())}
    users = session.scalars(select(User).where(User.username.in_(valid), User.is_active))
    return {user.username: user for user in users}


def name_begins_with(prefix: str) -> ColumnElement[bool]:
    """Return the SQL condition that selects users whose username, name or a further word of the name begins so."""
    return or_(
        User.username.startswith(prefix.lower(), autoescape=True),
        contains_folded(literal(" ").concat(User.name), f" {prefix}"),
    )


def name_contains(text: str) -> ColumnElement[bool]:
    """Return the SQL condition that selects users whose name or username contains a text, ignoring case and accents."""
    wanted = text.strip().removeprefix("@")
    return or_(contains_folded(User.name, wanted), User.username.contains(wanted.lower(), autoescape=True))


def find_named(session: Session, usernames: Collection[str]) -> Sequence[Person]:
    """Find the people with these usernames, ignoring case.

    Raises `Invalid` if they are more than a direct conversation can have, `NotFound` if one of them does not exist.
    """
    wanted = {username.lower() for username in usernames}
    check_size(wanted)
    valid = {username for username in wanted if USERNAME_PATTERN.fullmatch(username)}
    people = [Person.of(user) for user in session.scalars(select(User).where(User.username.in_(valid)))]
    if len(people) != len(wanted):
        raise NotFound("There is no such user.")
    return people


def check_size(people: Collection[object]) -> None:
    """Raise `Invalid` if a direct conversation cannot have this many people."""
    if len(people) > MAX_PEOPLE:
        raise Invalid(f"A direct conversation has at most {MAX_PEOPLE} people. Create a room for more.")


def shown_people(people: Sequence[Person], user_id: int) -> Sequence[Person]:
    """Return the people that a user sees in a direct conversation: the others, or themselves if there are none."""
    return [person for person in people if person.id != user_id] or people
