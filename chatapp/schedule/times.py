"""Validation of the time at which something is due."""

from datetime import UTC, datetime, timedelta

from chatapp.errors import Invalid
from chatapp.models import now

MAX_CHARS = 40


def check_due_at(value: object, *, max_days: int) -> datetime:
    """Return the time `value`, in UTC. As text it is ISO 8601 and has its offset from UTC.

    Raises `Invalid` if it is no such time, not in the future, or later than in `max_days` days.
    """
    due_at = value if isinstance(value, datetime) else _parse(value)
    moment = now()
    if due_at <= moment:
        raise Invalid("This time has passed. Choose one in the future.")
    if due_at > moment + timedelta(days=max_days):
        raise Invalid(f"Choose a time within the next {max_days} days.")
    return due_at


def find_moment(local: datetime, after: datetime) -> datetime:
    """Return the moment, in UTC, at which clocks show the time `local` in its time zone.

    An hour is repeated when daylight saving time ends. Then it is the first of the two moments that is later than
    `after`, if there is one. A time that is skipped when daylight saving time begins is an hour later.
    """
    first, second = (local.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
    return second if first <= after < second else first


def _parse(value: object) -> datetime:
    try:
        parsed = datetime.fromisoformat(value) if isinstance(value, str) and len(value) <= MAX_CHARS else None
        if parsed is not None and parsed.tzinfo is not None:
            return parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise Invalid("due_at must be a time with its offset from UTC, such as “2026-12-24T09:00:00Z”.")
