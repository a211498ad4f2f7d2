"""Pages that browsers may keep. They ask each time whether the page is still the same, and get it again only if not.

`@revalidated` is for views that show no secrets. All other responses are `no-store`: see `chatapp.web.security`.
"""

from collections.abc import Callable
from functools import lru_cache, wraps
from hashlib import blake2b
from typing import Any, ParamSpec
from urllib.parse import urlsplit

from flask import after_this_request, make_response, request, session
from werkzeug.wrappers import Response

from chatapp.limits.networks import is_loopback

P = ParamSpec("P")

CLEAR_CACHE = '"cache"'
"""Value of `Clear-Site-Data`. Not "storage": unsent messages wait there for the next sign-in."""


def revalidated(view: Callable[P, Any]) -> Callable[P, Response]:
    """Let the browser keep the page of a view, and respond with 304 if it has the current one.

    A page with the message of a form that was sent before is shown once, and not kept.
    """

    @wraps(view)
    def respond(*args: P.args, **kwargs: P.kwargs) -> Response:
        response = make_response(view(*args, **kwargs))
        if request.method == "GET" and response.status_code == 200 and not session.modified and _can_clear_caches():
            response.headers["Cache-Control"] = "private, no-cache"
            response.set_etag(blake2b(response.get_data(), digest_size=16).hexdigest())
            response.make_conditional(request)
        return response

    return respond


def clear_caches() -> None:
    """Let the browser forget the pages that it keeps, with the response to the current request."""

    @after_this_request
    def clear(response: Response) -> Response:
        response.headers["Clear-Site-Data"] = CLEAR_CACHE
        return response


def _can_clear_caches() -> bool:
    """Return whether the browser obeys `clear_caches`: only over HTTPS, or on the machine of the server itself."""
    if request.is_secure:
        return True
    return _is_own_machine(request.host)


@lru_cache(1_000)
def _is_own_machine(host: str) -> bool:
    name = urlsplit(f"//{host}").hostname or ""
    return is_loopback(name) or name.endswith(".localhost")
