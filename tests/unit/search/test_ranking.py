"""The order of the best hits."""

from collections.abc import Sequence
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from chatapp.search.query import parse_query
from chatapp.search.ranking import MAX_RANKED_CHARS, MAX_TOTAL_CHARS, order_best


def order(query: str, *texts: str) -> Sequence[str]:
    terms = parse_query(query, today=date(2026, 11, 29)).terms
    return [texts[index] for index in order_best(texts, terms)]


def test_a_text_is_better_that_has_the_word_more_often_or_is_shorter() -> None:
    often, once, long = "needle and needle", "needle and thread", "needle and thread, among many other words"
    assert order("needle ", long, once, often) == [often, once, long]


def test_equal_texts_keep_their_order() -> None:
    assert order("needle ", "a needle", "b needle", "c needle") == ["a needle", "b needle", "c needle"]


def test_only_whole_words_count_unless_the_word_is_not_complete() -> None:
    whole, part = "car car dealers", "car carpet deal"
    assert order("car ", part, whole) == [whole, part]
    assert order("car", part, whole) == [part, whole]


def test_matches_are_counted_in_all_languages() -> None:
    for query, better, worse in (
        ("strasse ", "Straße STRASSE", "Straße Gasse.."),
        ("東京都", "東京都東京都", "東京都大阪府"),
        ('"blue green"', "blue green, blue-green", "blue green, green-blue"),
        ("snake_case ", "snake_case snake_case", "snake_case snake.cage"),
        ("👍", "👍👍", "👍👎"),
        ("C++", "C++ c++.", "C++ Java"),
        ("C# ", "C# C# Go", "C# Go Go"),
        ('"5 €"', "5 € 5 €", "5 € 6 €"),
        ('"€ 5"', "€5 €5 €6", "€5 €6 €6"),
    ):
        assert order(query, worse, better) == [better, worse], query


def test_repeated_symbols_are_counted_in_linear_time() -> None:
    texts = "€" * MAX_RANKED_CHARS, "€ " * MAX_RANKED_CHARS
    for query in ('"' + "€ " * 20 + '£"', '"€ 5"', "€" * 20 + "5"):
        assert order(query, *texts) == list(texts)


@given(st.lists(st.text(max_size=100), max_size=5), st.text(max_size=20))
def test_each_text_has_a_place(texts: list[str], query: str) -> None:
    terms = parse_query(query, today=date(2026, 11, 29)).terms
    assert sorted(order_best(texts, terms)) == list(range(len(texts)))


def test_of_many_long_texts_only_the_beginnings_are_looked_at() -> None:
    filler = "x " * (MAX_RANKED_CHARS // 2)
    early, late = f"needle needle {filler}", f"needle {filler} needle"
    texts = [late, early] * (MAX_TOTAL_CHARS // MAX_RANKED_CHARS)
    assert order("needle ", *texts)[: len(texts) // 2] == [early] * (len(texts) // 2)
