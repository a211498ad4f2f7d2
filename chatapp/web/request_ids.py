"""The id of each HTTP request: from a proxy in front, or a new one. Log lines and the response have it."""

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from flask import Flask

from chatapp.operation import current_request_id, new_request_id

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

HEADER = "X-Request-ID"

REQUEST_ID = "chatapp.request_id"
"""Where the WSGI environment has the id."""

_VALID = re.compile(r"[A-Za-z0-9._:+/=@-]{1,128}")
"""Ids that are taken over: those of proxies, trace ids, UUIDs. Others could imitate further values of a log line."""


class RequestIds:
    """WSGI middleware that gives each request its id, those of sockets included."""

    def __init__(self, inner: "WSGIApplication") -> None:
        self._inner = inner

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Pass a request on, and add its id to the response."""
        given = environ.get("HTTP_X_REQUEST_ID", "")
        request_id = given if _VALID.fullmatch(given) else new_request_id()
        environ[REQUEST_ID] = request_id
        current_request_id.set(request_id)

        def start(status: str, headers: list[tuple[str, str]], *arguments: Any) -> Callable[[bytes], object]:
            return start_response(status, [*headers, (HEADER, request_id)], *arguments)

        return self._inner(environ, start)


def init_request_ids(app: Flask) -> None:
    """Give each request an id. To be called last: other middleware logs too."""
    app.wsgi_app = RequestIds(app.wsgi_app)  # type: ignore[method-assign]
