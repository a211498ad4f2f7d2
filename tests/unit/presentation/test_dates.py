"""Dates and times on pages."""

from datetime import UTC, datetime, time, timedelta

from chatapp.presentation.dates import format_date, format_date_time
from chatapp.presentation.reader_clock import make_clock


def test_dates_have_no_leading_zero_and_times_have_their_zone() -> None:
    moment = datetime(2026, 3, 3, 4, 5, tzinfo=UTC)
    assert format_date(moment) == "3 March 2026"
    assert format_date_time(moment) == "3 March 2026, 04:05 UTC"


def test_moments_are_shown_as_the_readers_days_and_times() -> None:
    clock = make_clock("Europe/Berlin")
    today = datetime.combine(clock.today(), time(13, 5), clock.zone)
    assert clock.format_moment(today.astimezone(UTC)) == "Today at 13:05"
    assert clock.format_moment((today - timedelta(days=1)).astimezone(UTC)) == "Yesterday at 13:05"
    assert clock.format_moment(datetime(2024, 3, 3, 23, 30, tzinfo=UTC)) == "4 March 2024 at 00:30"
