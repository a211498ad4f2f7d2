"""The signed-in user, as every feature sees them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ParamSpec, TypeVar, cast

import flask_login
from flask import has_request_context, request
from flask_login import UserMixin, current_user

from chatapp.actors import Actor, make_actor
from chatapp.config import current_settings
from chatapp.conversations.people import Person, make_person
from chatapp.errors import Forbidden, SignedOut
from chatapp.models.audit import MAX_ADDRESS_CHARS

CONFIRM_LOGIN = "chatapp.confirm_login"
"""Where a server may put a function into the WSGI environment: it is called with the token of a valid login session."""

CONFIRM_API_USER = "chatapp.confirm_api_user"
"""The same for API tokens: it is called with the id of the token's user, or with None if the token is invalid."""

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class AuthenticatedUser(UserMixin):  # type: ignore[misc]  # the library is not typed
    """A user with a login session. A value instead of a row, which would be unusable after its transaction."""

    id: int
    username: str
    name: str
    is_admin: bool
    login_session_id: int
    token: str
    avatar_digest: str | None = None

    def get_id(self) -> str:
        """Return what Flask-Login stores in the cookie: the login session's token instead of the account's id."""
        return self.token

    def as_person(self) -> Person:
        """Return the user as other users see them."""
        return make_person(self.id, self.username, self.name, self.avatar_digest)

    @property
    def actor(self) -> Actor:
        """The user as policies and services know them."""
        return make_actor(self.id, self.login_session_id, None, current_address())


def current_address() -> str | None:
    """Return the client's network address for the audit log; None if the operator does not want it recorded."""
    if not has_request_context() or not current_settings().audit_log_addresses or request.remote_addr is None:
        return None
    return request.remote_addr[:MAX_ADDRESS_CHARS]


def find_current_person() -> AuthenticatedUser | None:
    """Return the signed-in user of this request or socket, or None."""
    if not current_user.is_authenticated:
        return None
    return cast(AuthenticatedUser, current_user._get_current_object())  # noqa: SLF001 - Werkzeug documents it for this


def current_person() -> AuthenticatedUser:
    """Return the signed-in user of this request or socket. Raises `SignedOut` if there is none."""
    person = find_current_person()
    if person is None:
        raise SignedOut("You are signed out. Sign in again.")
    return person


def current_admin() -> AuthenticatedUser:
    """Return the signed-in user if they are an admin. Raises `SignedOut`, `Forbidden`."""
    person = current_person()
    if not person.is_admin:
        raise Forbidden("Only admins can do that.")
    return person


def login_required(view: Callable[P, T]) -> Callable[P, T]:
    """Require a signed-in user for a view. `chatapp.accounts.login.handle_unauthorized` handles other visitors."""
    return cast(Callable[P, T], flask_login.login_required(view))
