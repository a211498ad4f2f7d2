"""People as everything but their account sees them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from chatapp.models import User


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody, as others see them."""

    id: int
    username: str
    name: str

    @classmethod
    def of(cls, user: User) -> Self:
        """Make the value of a row."""
        return cls(user.id, user.username, user.name)


def shown_people(people: Sequence[Person], user_id: int) -> Sequence[Person]:
    """Give whom a person sees in a direct conversation: the others; in one with oneself, oneself."""
    return [each for each in people if each.id != user_id] or people
