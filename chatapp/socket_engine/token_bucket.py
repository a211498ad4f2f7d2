"""Token buckets: rate limits that allow bursts."""

import time

from chatapp.socket_engine.limits import BYTES_PER_EVENT, MAX_PAUSE_SECONDS

MAX_IDLE_BUCKETS = 10_000
"""Number of buckets from which on full ones are discarded."""


class TokenBucket:
    """A bucket that is filled with `rate` tokens a second, up to `burst` tokens. Its debt is limited."""

    __slots__ = ("_burst", "_max_debt", "_rate", "_refilled_at", "_tokens")

    def __init__(self, rate: float, burst: float, *, max_debt: float | None = None) -> None:
        self._rate = rate
        self._burst = burst
        self._max_debt = burst if max_debt is None else max_debt
        self._tokens = burst
        self._refilled_at = time.monotonic()

    def consume(self, tokens: float) -> float:
        """Take `tokens`, going into debt if necessary; return the seconds until the debt is paid.

        The debt is limited: a client that stops sending too fast is soon served again.
        """
        self._tokens = left = max(self._refill() - tokens, -self._max_debt)
        return -left / self._rate if left < 0 else 0.0

    def try_consume(self, tokens: float) -> bool:
        """Take `tokens` and return True, or take none and return False when there are too few."""
        if self._refill() < tokens:
            return False
        self._tokens -= tokens
        return True

    @property
    def is_full(self) -> bool:
        """Whether no tokens are missing."""
        return self._refill() >= self._burst

    def _refill(self) -> float:
        now = time.monotonic()
        self._tokens = min(self._burst, self._tokens + (now - self._refilled_at) * self._rate)
        self._refilled_at = now
        return self._tokens


class TokenBuckets:
    """Token buckets of one rate by key. Full buckets are discarded, since a new one is full as well."""

    def __init__(self, rate: float, burst: float, *, max_debt: float | None = None) -> None:
        self._rate = rate
        self._burst = burst
        self._max_debt = max_debt
        self._buckets: dict[object, TokenBucket] = {}
        self._discard_at = MAX_IDLE_BUCKETS
        """Number of buckets at which full ones are discarded next."""

    def __getitem__(self, key: object) -> TokenBucket:
        """Return the bucket of a key, creating it if necessary."""
        if key not in self._buckets:
            if len(self._buckets) >= self._discard_at:
                self._discard_full()
            self._buckets[key] = TokenBucket(self._rate, self._burst, max_debt=self._max_debt)
        return self._buckets[key]

    def _discard_full(self) -> None:
        self._buckets = {key: bucket for key, bucket in self._buckets.items() if not bucket.is_full}
        # Buckets in use are examined again only when their number has doubled. Otherwise each new key would examine all
        # of them, and an attacker with many addresses could cause that.
        self._discard_at = max(MAX_IDLE_BUCKETS, 2 * len(self._buckets))


class RateMeter:
    """The rate limits that apply to one socket: its own, its user's and its address's."""

    __slots__ = ("_buckets",)

    def __init__(self, *buckets: TokenBucket) -> None:
        self._buckets = buckets

    def add(self, bucket: TokenBucket) -> None:
        """Apply the limit of one more bucket."""
        self._buckets += (bucket,)

    def consume(self, size: int) -> float:
        """Count a packet of `size` bytes; return the seconds to wait before the next one is read."""
        tokens = max(1.0, size / BYTES_PER_EVENT)
        pause = 0.0
        for bucket in self._buckets:
            pause = max(pause, bucket.consume(tokens))
        return min(pause, MAX_PAUSE_SECONDS)
