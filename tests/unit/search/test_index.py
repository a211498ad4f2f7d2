"""What the index stores of a message."""

from datetime import UTC, date, datetime

from hypothesis import given
from hypothesis import strategies as st

from chatapp.search.index import IndexedMessage, format_vector, list_date_tokens, list_tokens, year_token


def test_vectors_have_each_token_with_its_position() -> None:
    message = IndexedMessage(1, 2, 3, datetime(2026, 11, 29, tzinfo=UTC), "see `it's` https://a.example `x`")
    tokens = list_tokens(message)
    assert tokens[:5] == ["see", "it", "s", "https", "a"]
    assert format_vector(tokens[:2]) == "'see':1 'it':2"
    # What is in no phrase has none.
    assert format_vector([year_token(2026), "x"]) == f"'{year_token(2026)}' 'x':2"


@given(st.dates(date(1990, 1, 1), date(2060, 1, 1)), st.dates(date(1990, 1, 1), date(2060, 1, 1)), st.data())
def test_dates_between_two_have_one_of_their_tokens(first: date, last: date, data: st.DataObject) -> None:
    first, last = sorted((first, last))
    day = data.draw(st.dates(date(1990, 1, 1), date(2060, 1, 1)))
    created_at = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    tokens = set(list_tokens(IndexedMessage(1, 1, None, created_at, "x")))
    found = bool(tokens & set(list_date_tokens(first, last)))
    if first <= day <= last:
        assert found
    elif day >= date(2000, 1, 1):
        assert not found
