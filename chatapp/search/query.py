"""What a person types to search: words, “phrases”, `-not`, the beginning of the last word, and filters.

No input is an error: an unknown filter is a word, and a filter with an unusable value is one too, with a hint.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import islice

from chatapp.search.tokens import is_dense, tokenize_word

MAX_QUERY_CHARS = 500
"""The rest of a longer query is ignored."""

MAX_TERMS = 24
"""Maximum number of words, phrases and filters. Further ones are ignored."""

MIN_PREFIX_CHARS = 2
"""Length from which on the last word finds words that begin with it."""

FIRST_YEAR, LAST_YEAR = 1970, 2199

HAS = ("link", "file", "code", "reaction", "pin", "thread")
IS = ("saved", "unread", "mention", "thread")

DATES = ("before", "after", "on", "during")
_VALUES = {"has": HAS, "is": IS}

QUOTATION_MARKS = '"“”„'
"""What phrases can be in. Names with one of these cannot be the value of a filter."""

NOTHING_SEARCHED = "Add a word or a filter to search for."

NOTHING_INCLUDED = f"{NOTHING_SEARCHED} What begins with - only leaves messages out."

_PART = re.compile(
    rf"(?P<minus>-?)(?:(?P<name>[A-Za-z]+):)?"
    rf"(?:[{QUOTATION_MARKS}](?P<phrase>[^{QUOTATION_MARKS}]*)(?P<closing>[{QUOTATION_MARKS}]?)"
    rf"|(?P<word>[^\s{QUOTATION_MARKS}]+))"
)

_DATE = re.compile(r"(\d{4})(?:-(\d{1,2}))?(?:-(\d{1,2}))?")


@dataclass(frozen=True, slots=True)
class Phrase:
    """Tokens in a row."""

    tokens: tuple[str, ...]
    is_prefix: bool = False
    """Whether the last token is only the beginning of one."""


Term = tuple[Phrase, ...]
"""A word or phrase that somebody has typed: the alternatives that it is found by."""


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter with a value, such as `from:ana`."""

    name: str
    value: str
    is_excluded: bool = False


@dataclass(slots=True)
class Query:
    """What somebody searches."""

    terms: list[Term] = field(default_factory=list)
    """A message is found if it has all of these."""
    excluded: list[Term] = field(default_factory=list)
    """A message is not found if it has one of these."""
    filters: list[Filter] = field(default_factory=list)
    """The filters other than dates. All must apply, but of `from:` and `in:` one of the values is enough."""
    begins_at: datetime | None = None
    """The time from which on messages are found."""
    ends_at: datetime | None = None
    """The time before which messages are found."""
    hints: list[str] = field(default_factory=list)
    """What is a word although it looks like a filter, and why; and what is missing if nothing is searched."""

    def is_empty(self) -> bool:
        """Return whether nothing is searched: a query that only excludes finds nothing."""
        has_filter = any(not each.is_excluded for each in self.filters)
        return not (self.terms or has_filter or self.begins_at or self.ends_at)

    def list_values(self, name: str, *, is_excluded: bool = False) -> list[str]:
        """Return the values of the filters of a name."""
        return [each.value for each in self.filters if each.name == name and each.is_excluded == is_excluded]


def parse_query(text: str, *, today: date, zone: tzinfo = UTC) -> Query:
    """Return what the text means. `today` and `zone` are those of the person, for dates."""
    query = Query()
    text = text[:MAX_QUERY_CHARS]
    parts = _list_parts(text)
    for index, part in enumerate(parts):
        is_last = index == len(parts) - 1 and part.end() == len(text)
        name, value = (part["name"] or "").lower(), _value_of(part)
        if name and _add_filter(query, name, value, today, zone, is_excluded=bool(part["minus"])):
            continue
        word = f"{part['name']}:{value}" if name else value
        term = make_term(word, is_prefix=is_last and not part["minus"] and not part["closing"])
        if term:
            (query.excluded if part["minus"] else query.terms).append(term)
    if parts and query.is_empty():
        is_excluding = query.excluded or query.filters
        query.hints.append(NOTHING_INCLUDED if is_excluding else NOTHING_SEARCHED)
    return query


def find_filters(text: str, *, today: date) -> list[tuple[int, int]]:
    """Return where the filters of a query begin and end in its text."""
    parts = _list_parts(text[:MAX_QUERY_CHARS])
    return [part.span() for part in parts if part["name"] and _is_filter(part, today)]


def _list_parts(text: str) -> list[re.Match[str]]:
    return list(islice(_PART.finditer(text), MAX_TERMS))


def _value_of(part: re.Match[str]) -> str:
    """Return the phrase or the word of a part, without the name of a filter."""
    return str(part["phrase"] if part["word"] is None else part["word"])


def _is_filter(part: re.Match[str], today: date) -> bool:
    return _add_filter(Query(), part["name"].lower(), _value_of(part), today, UTC, is_excluded=bool(part["minus"]))


def split_filters(text: str, *, today: date, zone: tzinfo = UTC) -> tuple[Query, str]:
    """Return a query of the filters and the `-words` in a sentence, and the rest of the sentence."""
    query, rest, position = Query(), "", 0
    for part in _PART.finditer(text[:MAX_QUERY_CHARS]):
        name = (part["name"] or "").lower()
        value = part["phrase"] if part["word"] is None else part["word"].rstrip(".,;:?!")
        # A hyphen inside a word excludes nothing, nor does the sign of a number.
        is_excluded = bool(part["minus"]) and (name or value)[:1].isalpha() and not text[: part.start()][-1:].strip()
        if not (name and _add_filter(query, name, value, today, zone, is_excluded=is_excluded)):
            term = make_term(value, is_prefix=False) if is_excluded and not name else ()
            if not term:
                continue
            query.excluded.append(term)
        rest += text[position : part.start()] + " "
        position = part.end()
    return query, rest + text[position:]


def parse_period(value: str, today: date) -> tuple[date, date] | None:
    """Return the first and the last day of a period such as `last-week`, `2026` or `2026-11`; None if it is none."""
    value = value.lower().replace("_", "-").replace(" ", "-")
    if value in _PERIODS:
        return _PERIODS[value](today)
    match = _DATE.fullmatch(value)
    if not match:
        return None
    year, month, day = (int(each) if each else None for each in match.groups())
    if year is None or not FIRST_YEAR <= year <= LAST_YEAR:
        return None
    try:
        if day is not None:
            found = date(year, month or 1, day)
            return found, found
        if month is not None:
            return _month(date(year, month, 1))
    except ValueError:
        return None
    return date(year, 1, 1), date(year, 12, 31)


def make_term(word: str, *, is_prefix: bool) -> Term:
    """Return what a word is found by; nothing if it has no tokens."""
    found = tokenize_word(word)
    if not found.row:
        return ()
    last = found.row[-1]
    # “foo.” is complete.
    is_open = is_prefix and word[-1].isalnum() and len(last) >= MIN_PREFIX_CHARS and not is_dense(last)
    phrases = [Phrase(found.row, is_open or found.is_prefix)]
    if found.whole is not None and (found.whole,) != found.row:
        phrases.append(Phrase((found.whole,), is_open))
    return tuple(phrases)


def _add_filter(query: Query, name: str, value: str, today: date, zone: tzinfo, *, is_excluded: bool) -> bool:
    """Add a filter to the query. Return False if it is none."""
    if not value:
        return False
    if name in {"from", "in", "with"}:
        query.filters.append(Filter(name, value, is_excluded))
        return True
    if name in _VALUES and value.lower() in _VALUES[name]:
        query.filters.append(Filter(name, value.lower(), is_excluded))
        return True
    period = parse_period(value, today) if name in DATES else None
    if period is None or is_excluded:
        _add_hint(query, name, value, is_excluded=is_excluded)
        return False
    first, last = period
    if name == "after":
        begin, end = _start(last + timedelta(days=1), zone), None
    elif name == "before":
        begin, end = None, _start(first, zone)
    else:
        begin, end = _start(first, zone), _start(last + timedelta(days=1), zone)
    if begin is not None:
        query.begins_at = max(begin, query.begins_at or begin)
    if end is not None:
        query.ends_at = min(end, query.ends_at or end)
    return True


def _add_hint(query: Query, name: str, value: str, *, is_excluded: bool) -> None:
    """Add the reason why something that looks like a filter is none."""
    if name in _VALUES:
        *first, last = _VALUES[name]
        reason = f"{name}: takes {', '.join(first)} or {last}"
    elif name in DATES and is_excluded:
        reason = "dates cannot be excluded"
    elif name in DATES:
        reason = f"{name}: takes a day (2026-11-29), a month (2026-11), a year, today, yesterday or last-week"
    else:
        return
    query.hints.append(f"{'-' if is_excluded else ''}{name}:{value} is not a filter: {reason}.")


def _start(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _day(day: date) -> tuple[date, date]:
    return day, day


def _week(day: date) -> tuple[date, date]:
    monday = day - timedelta(days=day.weekday())
    return monday, monday + timedelta(days=6)


def _month(day: date) -> tuple[date, date]:
    first = day.replace(day=1)
    return first, (first + timedelta(days=32)).replace(day=1) - timedelta(days=1)


def _year(year: int) -> tuple[date, date]:
    return date(year, 1, 1), date(year, 12, 31)


_PERIODS: dict[str, Callable[[date], tuple[date, date]]] = {
    "today": _day,
    "yesterday": lambda today: _day(today - timedelta(days=1)),
    "this-week": _week,
    "last-week": lambda today: _week(today - timedelta(days=7)),
    "this-month": _month,
    "last-month": lambda today: _month(today.replace(day=1) - timedelta(days=1)),
    "this-year": lambda today: _year(today.year),
    "last-year": lambda today: _year(today.year - 1),
}

PERIODS: Sequence[str] = tuple(_PERIODS)
"""What can follow `during:`, besides a year, a month (2026-11) and a day (2026-11-29)."""
