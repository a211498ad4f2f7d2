"""Authentication and rate limit of API requests."""

import math
from dataclasses import dataclass

from flask import Blueprint, Response, g, request
from flask_wtf.csrf import CSRFError

from chatapp.actors import Actor
from chatapp.api.tokens.queries import find_token
from chatapp.api.tokens.service import READ, WRITE, record_use
from chatapp.errors import Forbidden, SignedOut
from chatapp.extensions import csrf, db, get_client_network
from chatapp.identity import CONFIRM_API_USER, current_address, current_person
from chatapp.limits.rates import API_REQUESTS, count_use, find_usage
from chatapp.tokens import hash_token, parse_bearer

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}


@dataclass(frozen=True, slots=True)
class Caller:
    """The user who sends a request, and the scopes of their token or login session."""

    actor: Actor
    scopes: frozenset[str]


def current_caller() -> Caller:
    """Return the caller of the current request. Raises `SignedOut` without a valid token or login session."""
    if "caller" not in g:
        g.caller = _authenticate_token() if "Authorization" in request.headers else _authenticate_login_session()
    caller: Caller = g.caller
    return caller


def protect(blueprint: Blueprint) -> None:
    """Authenticate the requests to a blueprint's routes, and limit their rate."""
    # Browsers do not add tokens by themselves. `authorize_request` checks the CSRF token where a cookie is used.
    csrf.exempt(blueprint)
    blueprint.before_request(limit_requests)
    blueprint.before_request(authorize_request)
    blueprint.after_request(report_limit)


def limit_requests() -> None:
    """Raise `RateLimited` if the caller has sent too many requests in the last minute."""
    g.rate_limit_key = key = get_rate_limit_key()
    count_use(API_REQUESTS, key)


def report_limit(response: Response) -> Response:
    """Add headers with the number of requests that the caller may still send."""
    # There is no key if the database could not be read.
    if "rate_limit_key" in g and (usage := find_usage(API_REQUESTS, g.rate_limit_key)):
        response.headers["X-RateLimit-Limit"] = str(usage.amount)
        response.headers["X-RateLimit-Remaining"] = str(usage.remaining)
        response.headers["X-RateLimit-Reset"] = str(math.ceil(usage.reset_time))
    return response


def authorize_request() -> None:
    """Raise unless the caller has the scope that the request needs.

    Raises `SignedOut`, and `Forbidden` if the token is read-only or a request with a cookie lacks the CSRF token.
    """
    if request.method == "OPTIONS":
        return
    caller = current_caller()
    is_write = request.method not in SAFE_METHODS
    if (WRITE if is_write else READ) not in caller.scopes:
        raise Forbidden("This token is read-only. Create one with write access in your settings.")
    if is_write and caller.actor.token_id is None:
        try:
            csrf.protect()
        except CSRFError:
            raise Forbidden("A request with a session cookie needs the header X-CSRFToken.") from None


def get_rate_limit_key() -> str:
    """Return the rate limit's key: the user, so that further tokens do not allow further requests."""
    try:
        return f"person {current_caller().actor.user_id}"
    except SignedOut:
        return get_client_network()


def _authenticate_token() -> Caller:
    value = parse_bearer(request.headers["Authorization"])
    if value is None:
        raise SignedOut("The Authorization header must be “Bearer” followed by an API token.")
    token = find_token(db.session(), hash_token(value))
    if confirm := request.environ.get(CONFIRM_API_USER):
        confirm(token and token.user_id)
    if token is None:
        raise SignedOut("This API token is invalid, has expired or was revoked.")
    caller = Caller(Actor(token.user_id, token_id=token.id, address=current_address()), frozenset(token.scopes.split()))
    record_use(token)
    return caller


def _authenticate_login_session() -> Caller:
    return Caller(current_person().actor, frozenset({READ, WRITE}))
