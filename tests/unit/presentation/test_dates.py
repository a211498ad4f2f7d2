"""Dates and times on pages."""

from datetime import UTC, datetime

from chatapp.presentation.dates import format_date, format_date_time


def test_dates_have_no_leading_zero_and_times_have_their_zone() -> None:
    moment = datetime(2026, 3, 3, 4, 5, tzinfo=UTC)
    assert format_date(moment) == "3 March 2026"
    assert format_date_time(moment) == "3 March 2026, 04:05 UTC"
