"""Dates and times on pages."""

from datetime import UTC, datetime

import pytest

from chatapp.presentation import reader_clock
from chatapp.presentation.dates import format_date, format_date_time
from chatapp.presentation.reader_clock import make_clock


def test_dates_have_no_leading_zero_and_times_have_their_zone() -> None:
    moment = datetime(2026, 3, 3, 4, 5, tzinfo=UTC)
    assert format_date(moment) == "3 March 2026"
    assert format_date_time(moment) == "3 March 2026, 04:05 UTC"


def test_moments_are_shown_as_the_readers_days_and_times(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = make_clock("Europe/Berlin")
    # 0:30 on the first of January in Berlin.
    monkeypatch.setattr(reader_clock, "now", lambda: datetime(2026, 12, 31, 23, 30, tzinfo=UTC))
    assert clock.format_moment(datetime(2026, 12, 31, 23, 5, tzinfo=UTC)) == "Today at 00:05"
    assert clock.format_moment(datetime(2026, 12, 31, 12, 5, tzinfo=UTC)) == "Yesterday at 13:05"
    assert clock.format_moment(datetime(2026, 12, 30, 22, 30, tzinfo=UTC)) == "30 December 2026 at 23:30"
    assert clock.format_moment(datetime(2024, 3, 3, 23, 30, tzinfo=UTC)) == "4 March 2024 at 00:30"
