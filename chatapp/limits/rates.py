"""Limits of how often one person, or one visitor's network, may do something.

Services count what every entrance offers (pages and API), views the rest. Each process counts for itself.
"""

import math
import time
from dataclasses import dataclass
from typing import Protocol

import structlog
from flask import Flask, current_app
from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from chatapp.config import current_settings
from chatapp.errors import RateLimited

log = structlog.get_logger(__name__)

EXTENSION = "chatapp.rate_limits"


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
REACTIONS = Limit(
    "reactions",
    "reactions_per_minute",
    RateLimitItemPerMinute,
    "You have reacted too often in the last minute. Try again later.",
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


def init_rate_limits(app: Flask) -> None:
    """Start counting for an application."""
    app.extensions[EXTENSION] = FixedWindowRateLimiter(MemoryStorage())


def count_use(limit: Limit, key: object) -> None:
    """Count one use by `key`: a person's id, or a network. Raises `RateLimited` if the limit is exceeded."""
    amount = _get_amount(limit)
    limiter: FixedWindowRateLimiter = current_app.extensions[EXTENSION]
    if amount and not limiter.hit(limit.period(amount), limit.name, str(key)):
        log.info("rate limit exceeded", limit=limit.name, key=key)
        seconds = _get_usage(limit, amount, key).reset_time - time.time()
        raise RateLimited(limit.message, retry_after=max(1, math.ceil(seconds)))


def find_usage(limit: Limit, key: object) -> Usage | None:
    """Return how much of a limit `key` has used; None if the limit is disabled."""
    amount = _get_amount(limit)
    return _get_usage(limit, amount, key) if amount else None


def _get_amount(limit: Limit) -> int:
    return limit.amount if isinstance(limit.amount, int) else getattr(current_settings(), limit.amount)


def _get_usage(limit: Limit, amount: int, key: object) -> Usage:
    limiter: FixedWindowRateLimiter = current_app.extensions[EXTENSION]
    stats = limiter.get_window_stats(limit.period(amount), limit.name, str(key))
    return Usage(amount, stats.remaining, stats.reset_time)
