"""Rate limits of HTTP requests: of each person, and of all visitors from one network.

A client that requests too much is delayed: it gets its responses more slowly, as a socket that sends too fast is read
more slowly. One that goes on is refused.
"""

import time
from http import HTTPStatus

from chatapp.config import Settings
from chatapp.http_server.connections import Refusal
from chatapp.socket_engine.tarpit import Tarpit
from chatapp.socket_engine.token_bucket import TokenBuckets
from chatapp.telemetry.health import HEALTH_PATHS

BURST_SECONDS = 2
"""Size of a burst, in seconds of the rate."""

MAX_DELAY_SECONDS = 5.0
"""Longest delay of a request. Those that would have to wait longer are refused."""

MAX_DEBT_SECONDS = 5.5
"""Time after which a client that has stopped requesting too much is admitted without a delay."""

VISITORS_RATE_FACTOR = 3
"""Rate of all visitors from one network, as a multiple of the rate of one person."""

SMALL_COST = 0.2
"""Cost of a request that needs little time, as a part of the cost of a page."""

SMALL_PREFIXES = ("/static/", "/socket.io", *HEALTH_PATHS)

TOO_MANY_REQUESTS = Refusal(HTTPStatus.TOO_MANY_REQUESTS, "Too many requests. Try again in a moment.")


class RequestRates:
    """The rate limits of one process."""

    def __init__(self, settings: Settings) -> None:
        rate = settings.requests_per_second
        self._is_limited = rate > 0
        self._people = _make_buckets(rate)
        self._visitors = _make_buckets(rate * VISITORS_RATE_FACTOR)
        self._tarpit = Tarpit()

    def admit(self, path: str, *, person: object, network: str) -> Refusal | None:
        """Count a request of a person, or of a visitor if `person` is None, and delay it if there were too many.

        Returns the refusal if it cannot be admitted.
        """
        if not self._is_limited:
            return None
        bucket = self._visitors[network] if person is None else self._people[person]
        delay = bucket.consume(SMALL_COST if path.startswith(SMALL_PREFIXES) else 1.0)
        if delay > MAX_DELAY_SECONDS:
            self._tarpit.delay(network if person is None else person)
            return TOO_MANY_REQUESTS
        if delay:
            time.sleep(delay)
        return None


def _make_buckets(rate: float) -> TokenBuckets:
    return TokenBuckets(rate, rate * BURST_SECONDS, max_debt=rate * MAX_DEBT_SECONDS)
