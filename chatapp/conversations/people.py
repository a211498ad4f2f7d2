"""People as everything but their account sees them."""

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
