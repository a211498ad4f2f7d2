"""The id of each HTTP request: from a proxy in front, or a new one. Log lines and the response have it.

The trace id of a proxy that reports traces (W3C Trace Context) is an id, too.
"""

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

_TRACE = re.compile(r"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?")
"""The header `traceparent`: version, trace id, id of the span, flags."""


class RequestIds:
    """WSGI middleware that gives each request its id, those of sockets included."""

    def __init__(self, inner: "WSGIApplication") -> None:
        self._inner = inner

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Pass a request on, and add its id to the response."""
        request_id = _find_given(environ) or new_request_id()
        environ[REQUEST_ID] = request_id
        current_request_id.set(request_id)

        def start(status: str, headers: list[tuple[str, str]], *arguments: Any) -> Callable[[bytes], object]:
            return start_response(status, [*headers, (HEADER, request_id)], *arguments)

        return self._inner(environ, start)


def _find_given(environ: "WSGIEnvironment") -> str | None:
    given: str = environ.get("HTTP_X_REQUEST_ID", "")
    if _VALID.fullmatch(given):
        return given
    trace = _TRACE.fullmatch(environ.get("HTTP_TRACEPARENT", ""))
    return trace and trace[1]


def init_request_ids(app: Flask) -> None:
    """Give each request an id. To be called last: other middleware logs too."""
    app.wsgi_app = RequestIds(app.wsgi_app)  # type: ignore[method-assign]
