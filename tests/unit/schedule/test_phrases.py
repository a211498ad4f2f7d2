"""Times as people write them after “/remind me”."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from chatapp.errors import Invalid
from chatapp.schedule.phrases import split_reminder

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 10, 23, 10, 30, tzinfo=UTC)
"""A Friday, 12:30 in Berlin. The clock is set back on the Sunday after it."""


@pytest.mark.parametrize(
    ("text", "about", "due_at"),
    [
        ("me to call Ana in 20 minutes", "call Ana", "2026-10-23T10:50"),
        ("me tea in 1 min", "tea", "2026-10-23T10:31"),
        ("me of the talk in an hour", "of the talk", "2026-10-23T11:30"),
        ("stretch in 3 hours", "stretch", "2026-10-23T13:30"),
        ("me lunch at 13:00", "lunch", "2026-10-23T11:00"),
        ("me lunch at 9:00", "lunch", "2026-10-24T07:00"),
        ("me lunch at 9pm", "lunch", "2026-10-23T19:00"),
        ("me lunch at 12 AM", "lunch", "2026-10-23T22:00"),
        ("me to stand up tomorrow 9:00", "stand up", "2026-10-24T07:00"),
        ("me to stand up tomorrow", "stand up", "2026-10-24T07:00"),
        # In local time, across the end of daylight saving time.
        ("me to water plants in 3 days", "water plants", "2026-10-26T11:30"),
        ("me to plan on monday at 10:00", "plan", "2026-10-26T09:00"),
        ("me to plan friday", "plan", "2026-10-30T08:00"),
        ("me gifts on 2026-12-24 10:00", "gifts", "2026-12-24T09:00"),
        ("me gifts  for\nall on 2026-12-24 at 10:00", "gifts  for\nall", "2026-12-24T09:00"),
        ("Meet at 5 at 17:00", "Meet at 5", "2026-10-23T15:00"),
    ],
)
def test_a_text_ends_with_its_time(text: str, about: str, due_at: str) -> None:
    assert split_reminder(text, NOW, BERLIN) == (about, datetime.fromisoformat(f"{due_at}Z"))


@pytest.mark.parametrize(
    ("moment", "text", "due_at"),
    [
        # 2:10 for the second time: 2:30 was half an hour ago, and is in 20 minutes.
        ("2026-10-25T01:10", "x at 2:30", "2026-10-25T01:30"),
        ("2026-10-25T01:10", "x today at 2:30", "2026-10-25T01:30"),
        ("2026-10-25T01:10", "x on 2026-10-25 2:30", "2026-10-25T01:30"),
        ("2026-10-25T01:10", "x at 2:05", "2026-10-26T01:05"),
        # 2:40 for the first time.
        ("2026-10-25T00:40", "x at 2:30", "2026-10-25T01:30"),
        ("2026-10-25T00:10", "x at 2:30", "2026-10-25T00:30"),
        ("2026-10-24T20:00", "x at 2:30", "2026-10-25T00:30"),
        ("2026-10-24T00:30", "x in 1 day", "2026-10-25T00:30"),
        # 1:50, before the hour that is skipped.
        ("2027-03-28T00:50", "x at 2:30", "2027-03-28T01:30"),
        ("2027-03-28T00:50", "x at 3:10", "2027-03-28T01:10"),
        ("2027-03-27T01:30", "x in 1 day", "2027-03-28T01:30"),
        # The reader's days: 0:30 on Monday, on the first of January and on the first of March.
        ("2026-11-29T23:30", "x monday", "2026-12-07T08:00"),
        ("2026-11-29T23:30", "x sunday", "2026-12-06T08:00"),
        ("2026-12-31T23:30", "x tomorrow", "2027-01-02T08:00"),
        ("2026-12-31T22:30", "x tomorrow", "2027-01-01T08:00"),
        ("2028-02-28T23:30", "x tomorrow", "2028-03-01T08:00"),
        ("2028-02-28T22:30", "x tomorrow", "2028-02-29T08:00"),
        ("2028-02-28T22:58", "x at 23:59", "2028-02-28T22:59"),
        ("2028-02-28T22:59", "x at 23:59", "2028-02-29T22:59"),
    ],
)
def test_times_are_found_around_midnight_and_changes_of_the_clock(moment: str, text: str, due_at: str) -> None:
    found = split_reminder(text, datetime.fromisoformat(f"{moment}Z"), BERLIN)
    assert found == ("x", datetime.fromisoformat(f"{due_at}Z"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "me",
        "me to call Ana",
        "me in 20 minutes",
        "me to in 20 minutes",
        "me x in 20 parsecs",
        "me x at " + "9" * 500,
    ],
)
def test_a_text_without_a_time_or_without_anything_else_is_refused_with_examples(text: str) -> None:
    with pytest.raises(Invalid, match="in 20 minutes"):
        split_reminder(text, NOW, BERLIN)


@pytest.mark.parametrize("text", ["x at 25:00", "x at 13pm", "x on 2026-02-30 10:00", "x at 9:60"])
def test_a_time_that_does_not_exist_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="is no time"):
        split_reminder(text, NOW, BERLIN)
