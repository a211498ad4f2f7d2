"""The words of a question that messages are searched for."""

import pytest

from chatapp.assistants.providers.keywords import add_filters, find_keywords, stem


@pytest.mark.parametrize(
    ("question", "keywords"),
    [
        ("What did Ana say about the invoices?", ["Ana", "invoices"]),
        ("find the printer, the PRINTER and the printer", ["printer", "PRINTER"]),
        ("Who mentioned snake_case or ana's v1.2?", ["snake_case", "ana's", "v1.2"]),
        ("übergabe – “Dienstag”", ["übergabe", "Dienstag"]),
        ('find “blue boat” or "red"', ["blue boat", "red"]),
        ("a b c 日", ["日"]),
        ("what did you say?", []),
        ("… ?! _ -- ’", []),
        ("", []),
    ],
)
def test_stop_words_are_left_out(question: str, keywords: list[str]) -> None:
    assert find_keywords(question) == keywords


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("invoices of Last Week", "invoices of during:last-week"),
        ("yesterday in #design-team, please", "during:yesterday in:design-team, please"),
        ("on:today issue #42", "on:today issue #42"),
        ('find "last week report" of today', 'find "last week report" of during:today'),
        ("“in #design” yesterday", "“in #design” during:yesterday"),
        ("messages with files, today", "messages has:file, during:today"),
        ("boats with a picture or With some images?", "boats has:file or has:file?"),
        ("anything with an attachment with links", "anything has:file has:link"),
        ("posts with a URL", "posts has:link"),
        ("issues with the link, with link-rot, with profiles", "issues with the link, with link-rot, with profiles"),
    ],
)
def test_times_rooms_and_contents_become_filters(question: str, expected: str) -> None:
    assert add_filters(question) == expected


@pytest.mark.parametrize(
    ("word", "stemmed"),
    [("invoices", "invoice"), ("INVOICES", "INVOICE"), ("class", "class"), ("bus", "bus"), ("naïves", "naïves")],
)
def test_regular_plurals_become_singular(word: str, stemmed: str) -> None:
    assert stem(word) == stemmed


@pytest.mark.parametrize("hostile", ["_" * 10_000, "a." * 5_000, "’" * 10_000, "a-" * 5_000 + "_", '"' * 10_000])
def test_hostile_questions_are_parsed_quickly(hostile: str) -> None:
    assert len(find_keywords(hostile)) <= 1
