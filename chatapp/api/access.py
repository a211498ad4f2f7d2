"""Who calls: by an API token, or by the session of a browser."""

from dataclasses import dataclass

from flask import Blueprint, g, request
from flask_limiter.util import get_remote_address
from flask_wtf.csrf import CSRFError

from chatapp.actors import Actor
from chatapp.api.queries import find_token
from chatapp.api.service import READ, WRITE, note_use
from chatapp.config import current_settings
from chatapp.errors import Forbidden, SignedOut
from chatapp.extensions import csrf, db, limiter
from chatapp.identity import current_person
from chatapp.tokens import hash_token

SAFE = {"GET", "HEAD", "OPTIONS"}


@dataclass(frozen=True, slots=True)
class Caller:
    """A person, and what they may do by what they have identified themselves with."""

    actor: Actor
    scopes: frozenset[str]


def current_caller() -> Caller:
    """Give who calls. Raises `SignedOut` when neither a token nor a session says so."""
    if "caller" not in g:
        g.caller = _identify_token() if "Authorization" in request.headers else _identify_session()
    caller: Caller = g.caller
    return caller


def protect(blueprint: Blueprint) -> None:
    """Let nobody into the routes of a blueprint but whom `admit` lets in, and nobody too often."""
    # A token is nothing that a browser adds by itself; `admit` asks for more where a session's cookie is.
    csrf.exempt(blueprint)
    limiter.limit(request_limit, key_func=counted_by, exempt_when=is_unlimited)(blueprint)
    blueprint.before_request(admit)


def admit() -> None:
    """Let in who may do something here.

    Raises `SignedOut`, and `Forbidden` for a token that may only read, and for a browser's request that another page
    may have forged.
    """
    if request.method == "OPTIONS":
        return
    caller = current_caller()
    is_write = request.method not in SAFE
    if (WRITE if is_write else READ) not in caller.scopes:
        raise Forbidden("This token may only read. Make one that may write, in your settings.")
    if is_write and caller.actor.token_id is None:
        try:
            csrf.protect()
        except CSRFError:
            raise Forbidden("A request with a session's cookie needs the header X-CSRFToken.") from None


def request_limit() -> str:
    """Give how many requests a person may make."""
    return f"{current_settings().api_requests_per_minute}/minute"


def is_unlimited() -> bool:
    """Tell whether there is no such limit."""
    return current_settings().api_requests_per_minute == 0


def counted_by() -> str:
    """Give what requests are counted by: the person, so that more tokens are not more requests."""
    try:
        return f"person {current_caller().actor.user_id}"
    except SignedOut:
        return get_remote_address()


def _identify_token() -> Caller:
    header = request.authorization
    if header is None or header.type != "bearer" or not header.token:
        raise SignedOut("The header must be “Authorization: Bearer” and an API token.")
    token = find_token(db.session(), hash_token(header.token))
    if token is None:
        raise SignedOut("This token is not valid, or no longer.")
    caller = Caller(Actor(token.user_id, token_id=token.id), frozenset(token.scopes.split()))
    note_use(token)
    return caller


def _identify_session() -> Caller:
    return Caller(current_person().actor, frozenset({READ, WRITE}))
