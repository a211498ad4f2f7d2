"""Actors, who perform operations, and the check that their login sessions and API tokens are still valid."""

from collections.abc import Collection
from dataclasses import dataclass, field
from functools import lru_cache

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from chatapp.errors import Forbidden, SignedOut
from chatapp.models import ApiToken, LoginSession, User, now
from chatapp.models.base import UtcDateTime
from chatapp.storage import ReadStatement

CACHED_ACTORS = 1_000

# Most events of sockets execute it.
_FIND_LOGIN = ReadStatement(
    select(LoginSession.id)
    .join(User, User.id == LoginSession.user_id)
    .where(
        LoginSession.id == bindparam("login_session_id"),
        LoginSession.is_valid(bindparam("now", type_=UtcDateTime())),
        User.id == bindparam("user_id"),
        User.is_active,
    )
)


@dataclass(frozen=True, slots=True)
class Actor:
    """A user who acts through a login session or an API token; through neither on the command line."""

    user_id: int
    login_session_id: int | None = None
    token_id: int | None = None
    address: str | None = field(default=None, compare=False)
    """The network address for the audit log, if the operator wants it recorded."""


make_actor = lru_cache(CACHED_ACTORS)(Actor)
"""Return the `Actor` with these values. Most requests and events have one that is known already."""


def find_active_actors(session: Session, actors: Collection[Actor]) -> set[Actor]:
    """Return the actors whose account is active and whose login session or token is neither revoked nor expired."""
    active_users = set(
        session.scalars(select(User.id).where(User.id.in_({actor.user_id for actor in actors}), User.is_active))
    )
    login_ids = {actor.login_session_id for actor in actors if actor.login_session_id is not None}
    valid_logins = select(LoginSession.id).where(LoginSession.id.in_(login_ids), LoginSession.is_valid())
    active_logins = set(session.scalars(valid_logins))
    active_tokens = find_active_tokens(session, actors)
    return {
        actor
        for actor in actors
        if actor.user_id in active_users
        and (actor.login_session_id is None or actor.login_session_id in active_logins)
        and (actor.token_id is None or actor.token_id in active_tokens)
    }


def find_active_tokens(session: Session, actors: Collection[Actor]) -> set[int]:
    """Return the ids of the API tokens of these actors that are neither revoked nor expired."""
    ids = {actor.token_id for actor in actors if actor.token_id is not None}
    # Most actors have no token: save the query.
    return set(session.scalars(select(ApiToken.id).where(ApiToken.id.in_(ids), ApiToken.is_valid()))) if ids else set()


def require_active_login(session: Session, actor: Actor) -> None:
    """Raise `SignedOut` unless the account is active and the login session or token is neither revoked nor expired."""
    if not find_active_actors(session, [actor]):
        raise SignedOut("You are signed out. Sign in again.")


def require_active_reader(session: Session, actor: Actor) -> None:
    """Raise `SignedOut` when `require_active_login` would, faster. The session must have no changes of its own."""
    if actor.login_session_id is None or actor.token_id is not None:
        require_active_login(session, actor)
    elif not _FIND_LOGIN.fetch(session, login_session_id=actor.login_session_id, user_id=actor.user_id, now=now()):
        raise SignedOut("You are signed out. Sign in again.")


def require_admin(session: Session, actor: Actor) -> None:
    """Raise `SignedOut` unless the actor is active, and `Forbidden` unless they administer the installation."""
    require_active_login(session, actor)
    if not is_admin(session, actor):
        raise Forbidden("Only admins can do that.")


def is_admin(session: Session, actor: Actor) -> bool:
    """Return whether the actor administers the installation."""
    return session.scalars(select(User.role).where(User.id == actor.user_id)).one_or_none() == "admin"
