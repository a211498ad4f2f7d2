"""Times as people write them: “in 20 minutes”, “at 9:00”, “tomorrow 9:00”, “on 2026-12-24 at 10:00”."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from chatapp.errors import Invalid
from chatapp.schedule.times import find_moment

EXAMPLES = "“in 20 minutes”, “at 9:00”, “tomorrow 9:00” or “on 2026-12-24 10:00”"

MAX_PHRASE_WORDS = 5

MAX_PHRASE_CHARS = 60

MORNING = time(9)
"""The time of a day that is named without one."""

_START = re.compile(r"\s*(?:me\b\s*)?(?:to\b\s*)?")

_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

_CLOCK = r"(?P<hour>\d{1,2})(?::(?P<minute>\d{2}))?\s?(?P<half>am|pm)?"

_UNIT = r"(?P<unit>min(?:ute)?s?|h(?:ou)?rs?|hours?|days?|weeks?)"

_IN = re.compile(rf"in (?P<number>\d{{1,4}}|an?|one) {_UNIT}")

_AT = re.compile(rf"at {_CLOCK}")

_ON = re.compile(
    rf"(?:on )?(?P<day>today|tomorrow|\d{{4}}-\d{{2}}-\d{{2}}|{'|'.join(_WEEKDAYS)})(?: (?:at )?{_CLOCK})?"
)


def split_reminder(text: str, moment: datetime, zone: tzinfo) -> tuple[str, datetime]:
    """Return what a reminder is about, and when it is due, of a text such as “me to call Ana tomorrow at 9:00”.

    `moment` is the present, and `zone` the time zone of the person. Raises `Invalid` if the text does not end with a
    time, or has nothing before it.
    """
    # The longest phrase: “on 2026-12-24 at 10:00” ends with “at 10:00”.
    for count in range(MAX_PHRASE_WORDS, 0, -1):
        words = text.rsplit(maxsplit=count)
        due_at = parse_phrase(" ".join(words[-count:]), moment, zone)
        if due_at is None:
            continue
        about = _START.sub("", words[0], count=1) if len(words) > count else ""
        if not about:
            break
        return about, due_at
    raise Invalid(f"Write what to remind you of, and at the end when: {EXAMPLES}.")


def parse_phrase(phrase: str, moment: datetime, zone: tzinfo) -> datetime | None:
    """Return the time that a phrase means, in UTC, or None if it is no such phrase. Raises `Invalid`."""
    if len(phrase) > MAX_PHRASE_CHARS:
        return None
    for pattern, parse in _PHRASES:
        if match := pattern.fullmatch(phrase.lower()):
            try:
                return parse(match, moment.astimezone(zone)).astimezone(UTC)
            except (ValueError, OverflowError):
                raise Invalid(f"“{phrase}” is no time. Write {EXAMPLES}.") from None
    return None


def _after(match: re.Match[str], local: datetime) -> datetime:
    number = int(match["number"]) if match["number"].isdecimal() else 1
    match match["unit"][0]:
        case "m":
            return local.astimezone(UTC) + timedelta(minutes=number)
        case "h":
            return local.astimezone(UTC) + timedelta(hours=number)
        case "d":
            # In local time, also across a change to daylight saving time.
            return local + timedelta(days=number)
    return local + timedelta(weeks=number)


def _at(match: re.Match[str], local: datetime) -> datetime:
    today, clock = local.date(), _parse_clock(match)
    due = find_moment(datetime.combine(today, clock, local.tzinfo), local)
    return due if due > local else datetime.combine(today + timedelta(days=1), clock, local.tzinfo)


def _on(match: re.Match[str], local: datetime) -> datetime:
    today, name = local.date(), match["day"]
    if name in _WEEKDAYS:
        day = today + timedelta(days=(_WEEKDAYS.index(name) - today.weekday() - 1) % 7 + 1)
    elif name in {"today", "tomorrow"}:
        day = today + timedelta(days=name == "tomorrow")
    else:
        day = date.fromisoformat(name)
    clock = _parse_clock(match) if match["hour"] else MORNING
    return find_moment(datetime.combine(day, clock, local.tzinfo), local)


def _parse_clock(match: re.Match[str]) -> time:
    hour, half = int(match["hour"]), match["half"]
    if half:
        if not 1 <= hour <= 12:
            raise ValueError("no such hour")
        hour = hour % 12 + (12 if half == "pm" else 0)
    return time(hour, int(match["minute"] or 0))


_PHRASES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str], datetime], datetime]], ...] = (
    (_IN, _after),
    (_AT, _at),
    (_ON, _on),
)
