"""Who is signed in, as every feature sees it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ParamSpec, TypeVar, cast

import flask_login
from flask_login import UserMixin, current_user

from chatapp.actors import Actor
from chatapp.conversations.people import Person
from chatapp.errors import Forbidden, SignedOut

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class AuthenticatedUser(UserMixin):  # type: ignore[misc]  # the library is not typed
    """A person on one browser, as `current_user` has it: values, no row that a closed session would take away."""

    id: int
    username: str
    name: str
    is_admin: bool
    login_session_id: int
    token: str

    def get_id(self) -> str:
        """Give what the cookie carries: the session's token, not the account's number."""
        return self.token

    def as_person(self) -> Person:
        """Give the person as others see them."""
        return Person(self.id, self.username, self.name)

    @property
    def actor(self) -> Actor:
        """The person as policy and services know them."""
        return Actor(self.id, self.login_session_id)


def current_person() -> AuthenticatedUser:
    """Give who is signed in on this request or socket. Raises `SignedOut` when nobody is, or no longer."""
    if not current_user.is_authenticated:
        raise SignedOut("You are signed out. Sign in again.")
    return cast(AuthenticatedUser, current_user._get_current_object())  # noqa: SLF001 - Werkzeug documents it for this


def current_admin() -> AuthenticatedUser:
    """Give who is signed in, if they administer the installation. Raises `SignedOut`, `Forbidden`."""
    person = current_person()
    if not person.is_admin:
        raise Forbidden("Only an admin may do that.")
    return person


def login_required(view: Callable[P, T]) -> Callable[P, T]:
    """Let a view be reached by who is signed in; the others are led to the sign-in, or told."""
    return cast(Callable[P, T], flask_login.login_required(view))
