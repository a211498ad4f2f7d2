"""HTTP requests: the name of each one for logs, and their number and duration for metrics."""

import time
from collections import Counter

from flask import Flask, Response, current_app, g, request

from chatapp.distribution import Distribution
from chatapp.operation import current_operation

EXTENSION = "chatapp.request_measures"
"""Key of the application's `RequestMeasures` in `app.extensions`."""

_STARTED = "chatapp_request_started"
"""Name in `g` of the time at which the request began."""


class RequestMeasures:
    """What was measured of HTTP requests."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str, str]] = Counter()
        """Number of requests by method, route and status."""
        self.seconds = Distribution()

    def add(self, method: str, route: str, status: int, seconds: float | None) -> None:
        """Count a request, with its duration if that is known. `route` is empty if there is none."""
        # Without a route, clients choose the method: it is no label, since each value would be kept for ever.
        self.counts[method if route else "", route, str(status)] += 1
        if seconds is not None:
            self.seconds.add(seconds)


def init_operations(app: Flask) -> None:
    """Name and measure each request. To be called before anything that queries the database for a request."""
    app.extensions[EXTENSION] = RequestMeasures()
    app.before_request(_begin)
    app.after_request(_measure)


def _begin() -> None:
    rule = request.url_rule
    current_operation.set(f"{request.method} {rule.rule}" if rule else f"{request.method} (no route)")
    if _STARTED not in g:  # A request that is repeated after a lost connection is measured from its beginning.
        setattr(g, _STARTED, time.perf_counter())


def _measure(response: Response) -> Response:
    measures: RequestMeasures = current_app.extensions[EXTENSION]
    rule = request.url_rule
    seconds = time.perf_counter() - g.get(_STARTED) if _STARTED in g else None
    measures.add(request.method, rule.rule if rule else "", response.status_code, seconds)
    return response
