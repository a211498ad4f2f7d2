"""Titles that sessions get from their first message."""

import pytest

from chatapp.assistants.titles import MAX_GENERATED_TITLE_CHARS, make_title


def test_a_short_message_is_the_title() -> None:
    assert make_title("What is the plan?") == "What is the plan?"


def test_line_breaks_and_runs_of_spaces_become_single_spaces() -> None:
    assert make_title("  What \n\n is\tthe   plan? ") == "What is the plan?"


def test_a_long_message_is_cut_after_a_word_and_its_punctuation_removed() -> None:
    title = make_title("hello, what is the plan for the third quarter of the next, year in all our offices?")
    assert title == "hello, what is the plan for the third quarter of the next…"


@pytest.mark.parametrize("message", ["x" * 61, "x" * 1_000, "word " * 100, "日本" * 100])
def test_a_title_is_never_too_long(message: str) -> None:
    title = make_title(message)
    assert len(title) <= MAX_GENERATED_TITLE_CHARS
    assert title.endswith("…")


def test_a_message_of_exactly_the_maximum_is_not_cut() -> None:
    assert make_title("x" * MAX_GENERATED_TITLE_CHARS) == "x" * MAX_GENERATED_TITLE_CHARS
