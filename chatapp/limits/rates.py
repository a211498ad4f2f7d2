"""Limits of how often one person, or one visitor's network, may do something.

Services count what every entrance offers (pages and API), views the rest. Processes report to each other what they
count (`chatapp.realtime.relay`): a limit holds for the installation, with a delay of `REPORT_SECONDS`. Without Redis
each process continues with what it knows.
"""

import hashlib
import math
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import structlog
from flask import Flask, current_app
from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from chatapp.config import Settings
from chatapp.errors import RateLimited

log = structlog.get_logger(__name__)

EXTENSION = "chatapp.rate_limits"

REPORT_SECONDS = 0.25
"""Interval at which a process reports to the others what it has counted."""

Use = tuple[str, str, int]
"""Uses of a limit: its name, the digest of their key, and their number."""


class Period(Protocol):
    """The period of a limit: a class of the library."""

    def __call__(self, amount: int) -> RateLimitItem:
        """Return the limit of `amount` uses in this period."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit whose amount is a setting (0 disables it) or a constant."""

    name: str
    amount: str | int
    period: Period
    message: str = "Too many requests. Wait a minute and try again."
    """The error of a person who exceeds it."""


@dataclass(frozen=True, slots=True)
class Usage:
    """How much of a limit is used."""

    amount: int
    remaining: int
    reset_time: float
    """When the period ends, in Unix time."""


CONVERSATIONS = Limit(
    "conversations",
    "new_conversations_per_hour",
    RateLimitItemPerHour,
    "You have created too many conversations in the last hour. Try again later.",
)
INVITATIONS = Limit(
    "invitations",
    "room_invitations_per_hour",
    RateLimitItemPerHour,
    "You have added too many people to rooms in the last hour. Try again later.",
)
FORM_POSTS = Limit(
    "form posts",
    "form_posts_per_minute",
    RateLimitItemPerMinute,
    "You have sent too many forms in the last minute. Try again later.",
)
EXPORTS = Limit(
    "exports",
    "exports_per_minute",
    RateLimitItemPerMinute,
    "You have exported too much in the last minute. Try again later.",
)
SEARCHES = Limit(
    "searches",
    "searches_per_minute",
    RateLimitItemPerMinute,
    "You have searched too often in the last minute. Try again later.",
)
SEARCH_COUNTS = Limit(
    "search counts",
    "searches_per_minute",
    RateLimitItemPerMinute,
    "You have searched too often in the last minute. Try again later.",
)
REACTIONS = Limit(
    "reactions",
    "reactions_per_minute",
    RateLimitItemPerMinute,
    "You have reacted too often in the last minute. Try again later.",
)
SAVES = Limit(
    "saves",
    "reactions_per_minute",
    RateLimitItemPerMinute,
    "You have saved too many messages in the last minute. Try again later.",
)
PINS = Limit(
    "pins",
    "reactions_per_minute",
    RateLimitItemPerMinute,
    "You have pinned too many messages in the last minute. Try again later.",
)
UNDELETIONS = Limit(
    "undeletions",
    "reactions_per_minute",
    RateLimitItemPerMinute,
    "You have restored too many messages in the last minute. Try again later.",
)
QUOTES = Limit(
    "quotes",
    "quotes_per_minute",
    RateLimitItemPerMinute,
    "You have requested too many quotes in the last minute. Try again later.",
)
DRAFT_SAVES = Limit(
    "draft saves",
    "draft_saves_per_minute",
    RateLimitItemPerMinute,
    "Your drafts were saved too often in the last minute. Try again later.",
)
UPLOADS = Limit(
    "uploads",
    "uploads_per_minute",
    RateLimitItemPerMinute,
    "You have uploaded too many files in the last minute. Try again later.",
)
PUBLIC_PAGES = Limit(
    "public pages",
    "public_pages_per_minute",
    RateLimitItemPerMinute,
    "Too many requests from your address in the last minute. Try again later.",
)
API_REQUESTS = Limit("API requests", "api_requests_per_minute", RateLimitItemPerMinute)
SETUPS = Limit("setups", 20, RateLimitItemPerMinute)
INVITATION_PAGES = Limit("invitation pages", 20, RateLimitItemPerMinute)
SIGN_INS = Limit("sign-ins", 60, RateLimitItemPerMinute)
SIGN_INS_OF_USERNAME = Limit("sign-ins of a username", 10, RateLimitItemPerMinute)
PASSWORD_CHANGES = Limit("password changes", 10, RateLimitItemPerMinute)
NEW_TOKENS = Limit("new tokens", 20, RateLimitItemPerMinute)
WEBHOOK_POSTS = Limit(
    "webhook posts",
    60,
    RateLimitItemPerMinute,
    "This webhook has posted too many messages in the last minute. Try again later.",
)
UNKNOWN_WEBHOOKS = Limit(
    "unknown webhooks",
    30,
    RateLimitItemPerMinute,
    "Too many requests from your address to webhooks that do not exist. Try again later.",
)


LIMITS = {
    limit.name: limit
    for limit in (
        CONVERSATIONS,
        INVITATIONS,
        FORM_POSTS,
        EXPORTS,
        SEARCHES,
        SEARCH_COUNTS,
        REACTIONS,
        SAVES,
        PINS,
        UNDELETIONS,
        QUOTES,
        DRAFT_SAVES,
        UPLOADS,
        PUBLIC_PAGES,
        API_REQUESTS,
        SETUPS,
        INVITATION_PAGES,
        SIGN_INS,
        SIGN_INS_OF_USERNAME,
        PASSWORD_CHANGES,
        NEW_TOKENS,
        WEBHOOK_POSTS,
        UNKNOWN_WEBHOOKS,
    )
}
"""The limits by name."""


class RateCounters:
    """Counts uses in fixed windows, those that other processes report included."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._limiter = FixedWindowRateLimiter(MemoryStorage())
        self._unreported: Counter[tuple[str, str]] = Counter()
        self._is_shared = False

    def share(self) -> None:
        """Begin to gather uses for `take_unreported`: there are other processes."""
        self._is_shared = True

    def try_use(self, limit: Limit, key: object) -> bool:
        """Count one use. Return whether it is within the limit."""
        item, digest = self._make_item(limit), _digest(key)
        if item is None:
            return True
        is_within = self._limiter.hit(item, limit.name, digest)
        # What exceeds a limit need not be reported: the window does not become longer.
        if self._is_shared and is_within:
            self._unreported[limit.name, digest] += 1
        return is_within

    def find_usage(self, limit: Limit, key: object) -> Usage | None:
        """Return how much of a limit is used; None if the limit is disabled."""
        item = self._make_item(limit)
        if item is None:
            return None
        stats = self._limiter.get_window_stats(item, limit.name, _digest(key))
        return Usage(item.amount, stats.remaining, stats.reset_time)

    def take_unreported(self) -> list[Use]:
        """Return what was used in this process since the last call."""
        taken, self._unreported = self._unreported, Counter()
        return [(name, digest, count) for (name, digest), count in taken.items()]

    def add_reported(self, uses: Iterable[Use]) -> None:
        """Count what was used in another process."""
        for name, digest, count in uses:
            # A process of another release may have other limits.
            if (limit := LIMITS.get(name)) and (item := self._make_item(limit)):
                self._limiter.hit(item, name, digest, cost=count)

    def _make_item(self, limit: Limit) -> RateLimitItem | None:
        amount = limit.amount if isinstance(limit.amount, int) else getattr(self._settings, limit.amount)
        return limit.period(amount) if amount else None


def init_rate_limits(app: Flask, settings: Settings) -> None:
    """Start counting for an application."""
    app.extensions[EXTENSION] = RateCounters(settings)


def count_use(limit: Limit, key: object) -> None:
    """Count one use by `key`: a person's id, or a network. Raises `RateLimited` if the limit is exceeded."""
    if not _current_counters().try_use(limit, key):
        log.info("rate limit exceeded", limit=limit.name, key=key)
        usage = find_usage(limit, key)
        seconds = usage.reset_time - time.time() if usage else 0
        raise RateLimited(limit.message, retry_after=max(1, math.ceil(seconds)))


def find_usage(limit: Limit, key: object) -> Usage | None:
    """Return how much of a limit `key` has used; None if the limit is disabled."""
    return _current_counters().find_usage(limit, key)


def _current_counters() -> RateCounters:
    counters: RateCounters = current_app.extensions[EXTENSION]
    return counters


def _digest(key: object) -> str:
    """Return the form in which processes report a key, which may contain what somebody typed as a username."""
    return hashlib.blake2b(str(key).encode(), digest_size=16).hexdigest()
