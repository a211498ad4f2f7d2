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
    # Without a route, clients choose the method: it is no label, since each value would be kept for ever.
    key = (request.method, rule.rule) if rule else ("", "")
    measures.counts[(*key, str(response.status_code))] += 1
    if _STARTED in g:
        measures.seconds.add(time.perf_counter() - g.get(_STARTED))
    return response
