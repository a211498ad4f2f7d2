"""What people type: words, phrases and filters."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from chatapp.search.expressions import Expression
from chatapp.search.query import Filter, Phrase, find_filters, parse_period, parse_query, split_filters
from chatapp.search.tokens import pair_tokens

TODAY = date(2026, 11, 29)


def test_words_phrases_and_exclusions() -> None:
    query = parse_query('deploy "blue green" -staging', today=TODAY)
    assert query.terms == [(Phrase(("deploy",)),), (Phrase(("blue", "green")),)]
    assert query.excluded == [(Phrase(("staging",)),)]


def test_the_last_word_is_a_beginning() -> None:
    assert parse_query("deploy stag", today=TODAY).terms[-1] == (Phrase(("stag",), is_prefix=True),)
    for text in ("deploy stag ", 'deploy "stag"', "deploy stag."):
        assert parse_query(text, today=TODAY).terms[-1] == (Phrase(("stag",)),)
    assert parse_query("a", today=TODAY).terms == [(Phrase(("a",)),)]


def test_the_end_of_a_phrase_without_its_second_quotation_mark_is_a_beginning() -> None:
    assert parse_query('deploy "blue gre', today=TODAY).terms[-1] == (Phrase(("blue", "gre"), is_prefix=True),)
    for text in ('"blue green" ', '"blue green ', '-"blue green'):
        query = parse_query(text, today=TODAY)
        assert query.terms + query.excluded == [(Phrase(("blue", "green")),)]


def test_a_word_with_parts_is_found_as_a_phrase_or_as_a_whole() -> None:
    assert parse_query("snake_case ", today=TODAY).terms == [(Phrase(("snake", "case")), Phrase(("snake_case",)))]
    assert parse_query("1,234 ", today=TODAY).terms == [(Phrase(("1", "234")), Phrase(("1234",)))]


def test_the_end_of_a_run_without_spaces_is_open() -> None:
    assert parse_query("東京都", today=TODAY).terms == [(Phrase(("東京", "京都")),)]
    assert parse_query("東", today=TODAY).terms == [(Phrase(("東",), is_prefix=True),)]


def test_filters_are_recognized() -> None:
    query = parse_query('from:@ana in:"My room" -from:bob has:LINK is:saved with:eve', today=TODAY)
    assert query.filters == [
        Filter("from", "@ana"),
        Filter("in", "My room"),
        Filter("from", "bob", is_excluded=True),
        Filter("has", "link"),
        Filter("is", "saved"),
        Filter("with", "eve"),
    ]
    assert not query.terms


def test_unknown_filters_are_words() -> None:
    assert parse_query("foo:bar http://a.example has: from:", today=TODAY).hints == []
    query = parse_query("foo:bar has:nothing before:soon http://a.example 10:30 from: ", today=TODAY)
    assert not query.filters
    assert [term[0].tokens for term in query.terms] == [
        ("foo", "bar"),
        ("has", "nothing"),
        ("before", "soon"),
        ("http", "a", "example"),
        ("10", "30"),
        ("from",),
    ]
    of_value, of_date = query.hints
    assert of_value == "has:nothing is not a filter: has: takes link, file, code, reaction, pin or thread."
    assert of_date.startswith("before:soon is not a filter: before: takes a day (2026-11-29), ")
    assert parse_query("-on:today x", today=TODAY).hints == ["-on:today is not a filter: dates cannot be excluded."]


@pytest.mark.parametrize("text", ["-budget", "-budget -from:ana", "-in:design", "-on:today"])
def test_a_query_that_only_excludes_needs_something_to_find(text: str) -> None:
    query = parse_query(text, today=TODAY)
    assert query.is_empty()
    assert query.hints[-1] == "Add a word or a filter to search for. What begins with - only leaves messages out."
    assert not parse_query(f"{text} x", today=TODAY).is_empty()


def test_a_query_of_signs_needs_something_to_find() -> None:
    assert parse_query("| ()", today=TODAY).hints == ["Add a word or a filter to search for."]
    assert parse_query(" ", today=TODAY).hints == []
    assert parse_query("x -budget", today=TODAY).hints == []


def test_dates_are_days_of_the_person() -> None:
    query = parse_query("on:2026-11-28", today=TODAY, zone=ZoneInfo("Asia/Tokyo"))
    assert query.begins_at == datetime(2026, 11, 27, 15, tzinfo=UTC)
    assert query.ends_at == datetime(2026, 11, 28, 15, tzinfo=UTC)
    query = parse_query("after:2026-11-01 before:today", today=TODAY)
    assert (query.begins_at, query.ends_at) == (datetime(2026, 11, 2, tzinfo=UTC), datetime(2026, 11, 29, tzinfo=UTC))


@pytest.mark.parametrize(
    ("period", "first", "last"),
    [
        ("today", TODAY, TODAY),
        ("last-week", date(2026, 11, 16), date(2026, 11, 22)),
        ("Last Week", date(2026, 11, 16), date(2026, 11, 22)),
        ("this-month", date(2026, 11, 1), date(2026, 11, 30)),
        ("2026-2", date(2026, 2, 1), date(2026, 2, 28)),
        ("2025", date(2025, 1, 1), date(2025, 12, 31)),
    ],
)
def test_periods(period: str, first: date, last: date) -> None:
    assert parse_period(period, TODAY) == (first, last)


@pytest.mark.parametrize("period", ["0000", "2026-13", "2026-02-30", "9999-12-31", "x", ""])
def test_other_values_are_no_periods(period: str) -> None:
    assert parse_period(period, TODAY) is None


def test_a_query_that_only_excludes_is_empty() -> None:
    assert parse_query("-foo -from:ana", today=TODAY).is_empty()
    assert parse_query(" !!! ", today=TODAY).is_empty()
    assert not parse_query("is:saved", today=TODAY).is_empty()


def test_filters_are_found_where_they_are() -> None:
    text = 'a from:"Ana Lima" has:foo -is:saved x:y "in:b" on:today'
    found = [text[begin:end] for begin, end in find_filters(text, today=TODAY)]
    assert found == ['from:"Ana Lima"', "-is:saved", "on:today"]


def test_filters_are_taken_out_of_a_sentence() -> None:
    query, rest = split_filters('the well-known boat from:"Ana Lima" -red, on:today has:foo', today=TODAY)
    assert rest.split() == ["the", "well-known", "boat", "has:foo"]
    assert query.filters == [Filter("from", "Ana Lima")]
    assert query.excluded == [(Phrase(("red",)),)]
    assert query.begins_at == datetime(2026, 11, 29, tzinfo=UTC)
    assert not query.terms


def test_a_sentence_excludes_words_and_no_numbers() -> None:
    query, rest = split_filters('is it -5 degrees, -"10 below", -from:42 -"blue boat" or - cold?', today=TODAY)
    assert rest.split() == ["is", "it", "-5", "degrees,", '-"10', 'below",', "or", "-", "cold?"]
    assert query.filters == [Filter("from", "42", is_excluded=True)]
    assert query.excluded == [(Phrase(("blue", "boat")),)]


def test_expressions_of_both_databases() -> None:
    query = parse_query('snake_case "a b" -c de', today=TODAY)
    expression = Expression(query.terms, [["x", "y"]], query.excluded)
    assert expression.to_fts5() == (
        '(("de"*) AND ("x" OR "y") AND ("snake case" OR "snake_case") AND ("a b")) NOT (("c"))'
    )
    assert expression.to_tsquery() == (
        "(('snake' <-> 'case') | ('snake_case')) & (('a' <-> 'b')) & (('de':*)) & ('x' | 'y') & !(('c'))"
    )


def test_phrases_are_looked_up_where_their_pairs_are() -> None:
    (pair,), (parts,) = pair_tokens(["a", "b"]), pair_tokens(["snake", "case"])
    expression = Expression(parse_query('de "a b" fg ', today=TODAY).terms, [["x", "y"]], uses_pairs=True)
    assert expression.to_fts5() == (
        f'((("de") AND ("fg") AND ("x" OR "y") AND ("{pair}")) NOT "\U0010c000") AND ("a b")'
    )
    assert expression.to_tsquery() == (f"(('de')) & (('a' <-> 'b')) & (('fg')) & (('{pair}')) & ('x' | 'y')")
    expression = Expression(parse_query("snake_case ", today=TODAY).terms, uses_pairs=True)
    assert expression.to_fts5() == (
        f'((("{parts}" OR "snake_case")) NOT "\U0010c000") AND ("snake case" OR "snake_case")'
    )


@pytest.mark.parametrize("text", ["word ", "东京都", "snake_ca"])
def test_words_and_phrases_without_a_complete_pair_are_looked_up_as_they_are(text: str) -> None:
    terms = parse_query(text, today=TODAY).terms
    assert Expression(terms, uses_pairs=True).to_fts5() == Expression(terms).to_fts5()


def test_the_pairs_of_the_beginning_of_a_phrase_are_looked_up() -> None:
    expression = Expression(parse_query("read_messages_by", today=TODAY).terms[:1], uses_pairs=True)
    (pair,) = pair_tokens(["read", "messages"])
    assert f'("{pair}" OR "read_messages_by"*)' in expression.to_fts5()
