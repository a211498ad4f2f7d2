"""Tokens of texts: languages, words with parts, and what holds for any text."""

from datetime import date
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatapp.search.query import parse_query
from chatapp.search.tokens import MAX_TOKENS, Tokens, fold_word, locate, tokenize

texts = st.text(
    st.one_of(
        st.characters(exclude_categories=["Cs"]),
        st.sampled_from("aAbB1_ -.,'’ʼ‐+#→€١é́ßŁİ漢字かﾊﾟﾞ한ㅎㅏ글ไทย👍🏽🇩🇪‍️"),
    )
)


@pytest.mark.parametrize(
    ("text", "row", "wholes"),
    [
        ("Hello, World!", ["hello", "world"], []),
        ("snake_case camelCase HTTPServer", ["snake", "case", "camel", "case", "http", "server"], None),
        ("iPhone", ["i", "phone"], ["iphone"]),
        ("1,234,567 people", ["1", "234", "567", "people"], ["1234567"]),
        ("Ángel Łódź STRASSE Straße", ["angel", "lodz", "strasse", "strasse"], []),
        ("ana@example.com", ["ana", "example", "com"], []),
        ("東京都", ["東京", "京都", "都"], []),
        ("학교에서 먹었다", ["학교", "교에", "에서", "서", "먹었", "었다", "다"], []),
        ("ภาษา", ["ภา", "าษ", "ษา", "า"], []),
        ("ＡＢＣ ﾊﾟｿｺﾝ", ["abc", "パソ", "ソコ", "コン", "ン"], []),
        ("👍🏽 ❤️", ["👍", "❤"], []),
        ("🇩🇪🇫🇷", ["🇩🇪", "🇫🇷"], []),
        ("हिन्दी में", ["हिन्दी", "में"], []),
        ("don't e-mail O’Brien", ["don", "t", "e", "mail", "o", "brien"], ["dont", "email", "obrien"]),
        ("utf8 PR123 snake_v2", ["utf", "8", "pr", "123", "snake", "v", "2"], ["utf8", "pr123", "snake_v2"]),
        ("a1b2c3 10am 2026-11-29", ["a1b2c3", "10am", "2026", "11", "29"], []),
        ("C++17, C# and i#1", ["c", "17", "c", "and", "i", "1"], ["c＋＋", "c＃"]),
        ("a → 5 €", ["a", "→", "5", "€"], []),
        ("\U0001fae8", ["\U0001fae8"], []),
        ("١٢٣", ["123"], []),
        ("", [], []),
        ("a" * 100, ["a" * 80], []),
    ],
)
def test_texts_become_tokens(text: str, row: list[str], wholes: list[str] | None) -> None:
    found = tokenize(text)
    assert found.row == row
    if wholes is not None:
        assert list(found.wholes) == wholes


def test_a_word_with_parts_is_also_one_token() -> None:
    assert tokenize("snake_case camelCase HTTPServer").wholes == ("snake_case", "camelcase", "httpserver")


@given(texts)
def test_tokens_are_folded_and_have_no_separators(text: str) -> None:
    found = tokenize(text)
    for token in (*found.row, *found.wholes):
        assert token
        assert not set(token) & set(" \t\n'\"\\:*\0")
        assert fold_word(token) == token or not token.isalnum()


@given(texts)
def test_places_are_those_of_the_same_tokens(text: str) -> None:
    row, wholes = locate(text)
    found = tokenize(text)
    assert [token.text for token in row] == found.row
    assert {token.text for token in wholes} == set(found.wholes)
    for token in (*row, *wholes):
        assert 0 <= token.start < token.end <= len(text)


@given(st.text(st.sampled_from("abAB12 -.,_'+#"), max_size=12), st.integers(1, 40))
def test_plain_texts_have_the_same_tokens_as_others(text: str, repeated: int) -> None:
    text *= repeated
    # Another character leads to the general function.
    assert tokenize(text) == Tokens(tokenize(f"{text} é").row[:-1], tokenize(f"{text} é").wholes)


@given(texts)
def test_normal_forms_make_no_difference(text: str) -> None:
    assert tokenize(normalize("NFKC", text)) == tokenize(text)


@given(texts)
def test_every_query_is_accepted(text: str) -> None:
    query = parse_query(text, today=date(2026, 11, 29))
    for term in (*query.terms, *query.excluded):
        assert term
        assert all(phrase.tokens and all(phrase.tokens) for phrase in term)


@pytest.mark.parametrize(
    "part",
    [
        "aA",
        "_",
        "1,234",
        "漢",
        "👍",
        "á",
        "\u200d",
        "ﾊﾞ",
        "A",
        "ㅎ",
        "x_",
        "http://a.b/",
        "a'",
        "a-",
        "c++",
        "a1",
        "A\u0301",
    ],
)
def test_long_texts_have_a_limited_number_of_tokens(part: str) -> None:
    # With more than linear time, these would take minutes.
    text = part * 100_000
    assert len(tokenize(text).row) <= MAX_TOKENS
    locate(text)
