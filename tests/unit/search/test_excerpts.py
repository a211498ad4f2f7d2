"""Excerpts of messages with the ranges of matches."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatapp.search.excerpts import (
    COUNTED_CHARS,
    EXCERPT_CHARS,
    count_terms,
    find_ranges,
    make_excerpt,
    make_excerpts,
    make_excerpts_of_alternatives,
)
from chatapp.search.query import parse_query
from chatapp.search.tokens import SLICE_CHARS


def mark(content: str, text: str) -> str:
    ranges = find_ranges(content, parse_query(text, today=date(2026, 11, 29)).terms)
    for start, end in reversed(ranges):
        content = f"{content[:start]}[{content[start:end]}]{content[end:]}"
    return content


def test_matches_are_marked_where_they_are() -> None:
    assert mark("Die Straße, ein STRASSENFEST", "strasse") == "Die [Straße], ein [STRASSE]NFEST"
    assert mark("Cafe\u0301 au lait", "café ") == "[Cafe\u0301] au lait"
    assert mark("a snakeCase b snake case", "snakecase ") == "a [snakeCase] b snake case"
    assert mark("我住在東京都内", "東京都") == "我住在[東京都]内"
    assert mark("我住在東京都内", "京") == "我住在東[京]都内"
    assert mark("ok 👍🏽 ok", "👍") == "ok [👍🏽] ok"
    assert mark("pay 1,234,567 now", "1234567 ") == "pay [1,234,567] now"


def test_an_excerpt_begins_before_the_first_match() -> None:
    content = "word " * 100 + "needle " + "tail " * 100
    excerpt = make_excerpt(content, parse_query("needle ", today=date(2026, 11, 29)).terms)
    ((start, end),) = excerpt.ranges
    assert excerpt.text[start:end] == "needle"
    assert (excerpt.has_before, excerpt.has_after) == (True, True)
    assert len(excerpt.text) <= EXCERPT_CHARS


def test_an_excerpt_is_of_the_first_alternative_with_a_match() -> None:
    alternatives = ["the manual", "[the manual](https://example.org/needle)"]

    def excerpt(text: str) -> str:
        (found,) = make_excerpts_of_alternatives([alternatives], parse_query(text, today=date(2026, 11, 29)).terms)
        return found.text

    assert (excerpt("manual"), excerpt("needle"), excerpt("other"), excerpt("")) == (
        alternatives[0],
        alternatives[1],
        alternatives[0],
        alternatives[0],
    )


def test_only_the_beginning_of_a_long_text_is_searched_for_matches() -> None:
    content = "word " * 20_000 + "needle"
    excerpt = make_excerpt(content, parse_query("needle", today=date(2026, 11, 29)).terms)
    assert (excerpt.ranges, excerpt.has_before, excerpt.has_after) == ([], False, True)
    assert content.startswith(excerpt.text)


def test_terms_are_counted_in_the_beginnings_of_texts() -> None:
    terms = parse_query("red apple ", today=date(2026, 11, 29)).terms
    filler = "x " * (COUNTED_CHARS // 2)
    assert count_terms(["a red apple", "red red", "nothing", f"red {filler} apple"], terms) == [2, 1, 0, 1]


@pytest.mark.parametrize("text", ["é", "é ", "東", "a_", "ab "])
def test_others_get_their_turn_within_a_long_text(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[None] = []
    for module in ("tokens", "excerpts"):
        monkeypatch.setattr(f"chatapp.search.{module}.checkpoint", lambda: turns.append(None))
    content = text * (10_000 // len(text))
    make_excerpts([content], parse_query("needle", today=date(2026, 11, 29)).terms)
    assert len(turns) >= len(content) // SLICE_CHARS


@given(st.text(max_size=400), st.text(max_size=20))
def test_ranges_are_within_the_excerpt(content: str, text: str) -> None:
    excerpt = make_excerpt(content, parse_query(text, today=date(2026, 11, 29)).terms)
    last = 0
    for start, end in excerpt.ranges:
        assert last <= start <= end <= len(excerpt.text)
        last = end
