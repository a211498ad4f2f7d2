"""The reader's clock: days and times in a time zone."""

from datetime import datetime

import pytest

from chatapp.presentation import reader_clock
from chatapp.presentation.reader_clock import make_clock

BERLIN = make_clock("Europe/Berlin")


def moment(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}Z")


@pytest.mark.parametrize(
    ("now", "value", "expected"),
    [
        ("2026-11-28T12:00", "2026-11-28T09:00", "2026-11-28T08:00"),
        # The hour from 2:00 to 3:00 is repeated.
        ("2026-10-24T12:00", "2026-10-25T02:30", "2026-10-25T00:30"),
        ("2026-10-25T00:30", "2026-10-25T02:30", "2026-10-25T01:30"),
        ("2026-10-25T01:10", "2026-10-25T02:30", "2026-10-25T01:30"),
        ("2026-10-25T01:30", "2026-10-25T02:30", "2026-10-25T00:30"),
        # It is skipped.
        ("2027-03-27T12:00", "2027-03-28T02:30", "2027-03-28T01:30"),
    ],
)
def test_of_two_moments_a_field_means_the_one_in_the_future(
    now: str, value: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader_clock, "now", lambda: moment(now))
    assert BERLIN.parse_local(value) == moment(expected)


@pytest.mark.parametrize(
    ("zone", "day", "expected"),
    [
        ("Europe/Berlin", "2027-03-28", "2027-03-27T23:00"),
        ("Pacific/Auckland", "2028-02-29", "2028-02-28T11:00"),
        # Midnight is skipped, or repeated.
        ("Africa/Cairo", "2026-04-24", "2026-04-23T22:00"),
        ("America/Havana", "2026-11-01", "2026-11-01T04:00"),
    ],
)
def test_a_day_begins_when_its_date_does(zone: str, day: str, expected: str) -> None:
    clock = make_clock(zone)
    begin = clock.start_of_day(day)
    assert begin == moment(expected)
    assert clock.describe(begin)[0].isoformat() == day
    assert clock.describe(begin - begin.resolution)[0].isoformat() < day


@pytest.mark.parametrize(
    ("now", "due_at", "shown"),
    [
        ("2026-12-31T22:59", "2026-12-31T22:59", "Today at 23:59"),
        ("2026-12-31T22:59", "2026-12-31T23:00", "Tomorrow at 00:00"),
        ("2026-12-31T22:59", "2027-01-02T08:00", "2 January 2027 at 09:00"),
        ("2026-12-31T23:00", "2027-01-02T08:00", "Tomorrow at 09:00"),
        ("2026-12-31T23:00", "2026-12-31T22:59", "Yesterday at 23:59"),
        ("2028-02-28T08:00", "2028-02-29T08:00", "Tomorrow at 09:00"),
        ("2027-03-27T23:30", "2027-03-28T21:30", "Today at 23:30"),
        ("2026-10-25T22:30", "2026-10-24T22:30", "Today at 00:30"),
    ],
)
def test_times_are_named_by_the_readers_day(now: str, due_at: str, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader_clock, "now", lambda: moment(now))
    assert BERLIN.format_due(moment(due_at)) == shown
