"""The reader's time zone and hour cycle, from a cookie that the page's script sets: see `static/js/reader_clock.js`.

The same rules are in `static/js/core/dates.js`. The tests of both read `tests/timeline_cases.json`.
"""

import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from flask import request

from chatapp.errors import Invalid
from chatapp.models import now
from chatapp.presentation.dates import format_date
from chatapp.schedule.times import find_moment

COOKIE = "chatapp_clock"
"""Name of the cookie. Its value is a time zone and an hour cycle, such as “Europe/Berlin:h23”."""

CACHED_CLOCKS = 100

CACHED_TIMES = 1_000
"""Times of messages that a clock keeps: about 200 KB."""

_VALUE = re.compile(r"(?P<zone>[A-Z][\w+-]{0,31}(?:/[A-Z][\w+-]{0,31}){0,2}):(?P<cycle>h11|h12|h23|h24)", re.ASCII)


class ReaderClock:
    """How a reader's browser shows times."""

    def __init__(self, zone: tzinfo = UTC, hour_cycle: str = "h23") -> None:
        self.zone = zone
        self.hour_cycle = hour_cycle
        self.describe = lru_cache(CACHED_TIMES)(self._describe)
        """Return the day of a moment in the reader's time zone, and its time as the page shows it."""

    def today(self) -> date:
        """Return the date of today in the reader's time zone."""
        return now().astimezone(self.zone).date()

    def start_of_day(self, value: str) -> datetime:
        """Return the moment at which a day such as “2026-11-28” begins in the reader's time zone. Raises `Invalid`."""
        try:
            return datetime.combine(date.fromisoformat(value), time(), self.zone).astimezone(UTC)
        except (ValueError, OverflowError):
            raise Invalid("date must be a day, such as 2026-11-28.") from None

    def parse_local(self, value: str) -> datetime:
        """Return the moment of a time such as “2026-11-28T09:00” in the reader's time zone. Raises `Invalid`.

        Of the two moments that a time has when daylight saving time ends, it is the first one in the future.
        """
        try:
            return find_moment(datetime.fromisoformat(value).replace(tzinfo=self.zone), now())
        except (ValueError, OverflowError):
            raise Invalid("Choose a date and a time, such as 2026-11-28T09:00.") from None

    def format_local(self, moment: datetime) -> str:
        """Return a moment as `parse_local` takes it, to the minute."""
        return moment.astimezone(self.zone).strftime("%Y-%m-%dT%H:%M")

    def format_due(self, moment: datetime) -> str:
        """Return a moment in the future as pages show it, such as “Tomorrow at 9:00”."""
        day, clock = self.describe(moment)
        today = self.today()
        shown = "Tomorrow" if day == today + timedelta(days=1) else format_day(day, today)
        return f"{shown} at {clock}"

    def format_moment(self, moment: datetime) -> str:
        """Return a moment in the past as pages show it, such as “Yesterday at 9:00”."""
        day, clock = self.describe(moment)
        return f"{format_day(day, self.today())} at {clock}"

    def _describe(self, moment: datetime) -> tuple[date, str]:
        local = moment.astimezone(self.zone)
        return local.date(), self.format_time(local)

    def format_time(self, local: datetime) -> str:
        """Return the time of a moment in the reader's time zone, such as “14:05” or “2:05 PM”."""
        hour = local.hour
        match self.hour_cycle:
            case "h12":
                return f"{hour % 12 or 12}:{local.minute:02} {'PM' if hour >= 12 else 'AM'}"
            case "h11":
                return f"{hour % 12}:{local.minute:02} {'PM' if hour >= 12 else 'AM'}"
            case "h24":
                return f"{hour or 24:02}:{local.minute:02}"
        return f"{hour:02}:{local.minute:02}"


UTC_CLOCK = ReaderClock()
"""The clock of browsers without a valid cookie."""


@lru_cache(CACHED_CLOCKS)
def parse_clock(value: str) -> ReaderClock:
    """Return the clock that the value of the cookie describes. Anything but a known zone and hour cycle means UTC."""
    match = _VALUE.fullmatch(value)
    if match is None:
        return UTC_CLOCK
    try:
        zone = ZoneInfo(match["zone"])
    except (OSError, ValueError, LookupError):  # A directory, another file, or an unknown zone.
        return UTC_CLOCK
    return ReaderClock(zone, match["cycle"])


def make_clock(zone: str) -> ReaderClock:
    """Return a clock of a time zone. An unknown one means UTC."""
    return parse_clock(f"{zone}:h23")


def current_clock() -> ReaderClock:
    """Return the clock of the browser that sent the current request."""
    return parse_clock(request.cookies.get(COOKIE, ""))


def format_day(day: date, today: date) -> str:
    """Return “Today”, “Yesterday” or the date. The year is omitted in the current one."""
    if day == today:
        return "Today"
    if day == today - timedelta(days=1):
        return "Yesterday"
    return f"{day:%A, %-d %B}" if day.year == today.year else format_date(day)
