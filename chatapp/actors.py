"""Actors, who perform operations, and the check that their login sessions and API tokens are still valid."""

from collections.abc import Collection
from dataclasses import dataclass, field
from functools import lru_cache

from sqlalchemy import Select, and_, bindparam, or_, select
from sqlalchemy.orm import Session

from chatapp.errors import Forbidden, SignedOut
from chatapp.models import ApiToken, LoginSession, User, now
from chatapp.models.base import UtcDateTime
from chatapp.storage import INTEGER, ReadStatement, encode_rows, parameter_rows

CACHED_ACTORS = 1_000


def _select_active() -> Select[int]:
    actor = parameter_rows("actors", number=INTEGER, user_id=INTEGER, login_session_id=INTEGER, token_id=INTEGER).c
    moment = bindparam("moment", type_=UtcDateTime())
    login_session = and_(
        LoginSession.id == actor.login_session_id,
        LoginSession.user_id == actor.user_id,
        LoginSession.is_valid(moment),
    )
    token = and_(ApiToken.id == actor.token_id, ApiToken.user_id == actor.user_id, ApiToken.is_valid(moment))
    return (
        select(actor.number)
        .join(User, and_(User.id == actor.user_id, User.is_active))
        .outerjoin(LoginSession, login_session)
        .outerjoin(ApiToken, token)
        .where(
            or_(actor.login_session_id.is_(None), LoginSession.id.is_not(None)),
            or_(actor.token_id.is_(None), ApiToken.id.is_not(None)),
        )
    )


# Most events and changes execute it.
_ACTIVE = ReadStatement(_select_active())

_IS_ADMIN = ReadStatement(select(User.id).where(User.id == bindparam("user_id"), User.role == "admin"))


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
    listed = list(actors)
    keys = encode_rows(
        (number, actor.user_id, actor.login_session_id, actor.token_id) for number, actor in enumerate(listed)
    )
    return {listed[number] for (number,) in _ACTIVE.fetch(session, actors=keys, moment=now())}


def find_active_tokens(session: Session, actors: Collection[Actor]) -> set[int]:
    """Return the ids of the API tokens of these actors that are neither revoked nor expired."""
    ids = {actor.token_id for actor in actors if actor.token_id is not None}
    # Most actors have no token: save the query.
    return set(session.scalars(select(ApiToken.id).where(ApiToken.id.in_(ids), ApiToken.is_valid()))) if ids else set()


def require_active_login(session: Session, actor: Actor) -> None:
    """Raise `SignedOut` unless the account is active and the login session or token is neither revoked nor expired."""
    if not find_active_actors(session, [actor]):
        raise SignedOut("You are signed out. Sign in again.")


def require_admin(session: Session, actor: Actor) -> None:
    """Raise `SignedOut` unless the actor is active, and `Forbidden` unless they administer the installation."""
    require_active_login(session, actor)
    if not is_admin(session, actor):
        raise Forbidden("Only admins can do that.")


def is_admin(session: Session, actor: Actor) -> bool:
    """Return whether the actor administers the installation."""
    return bool(_IS_ADMIN.fetch(session, user_id=actor.user_id))
