"""Quotes of messages: in notifications and in answers of assistants."""

import pytest

from chatapp.markdown.emoji_names import load_emoji
from chatapp.presentation import quotes
from chatapp.presentation.quotes import MAX_QUOTE_CHARS, hide_spoilers, shorten_quote

load_emoji()  # Reading them once would exceed the budget of a quote.


@pytest.mark.parametrize(
    ("content", "quote"),
    [
        ("hello\n\nthere", "hello there"),
        ("**Bold** and `code` :tada:\nnew line", "Bold and code 🎉 new line"),
        ("# Title\n- [x] done\n- [ ] [open](https://e.org)", "Title ☑ done ☐ open"),
        ("||secret *x*|| and https://e.org/a_b", "(spoiler) and https://e.org/a_b"),
        ("```py\nx = 1\n```\n> quote", "x = 1 quote"),
        ("| a | b |\n|---|---|\n| 1 | 2 |", "a b 1 2"),
        (r"\*plain\* <b>", "*plain* <b>"),
        ("word " * 300, "word " * 55 + "word…"),
    ],
)
def test_a_quote_is_the_text_without_markup_in_one_line(content: str, quote: str) -> None:
    assert shorten_quote(content) == quote
    assert len(quote) <= MAX_QUOTE_CHARS


def test_a_text_that_takes_too_long_is_quoted_as_it_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quotes, "QUOTE_SECONDS", 0.0)
    assert shorten_quote("**bold**") == "**bold**"


def test_spoilers_are_hidden_and_other_texts_are_as_they_were_written() -> None:
    assert hide_spoilers("**bold** a | b") == "**bold** a | b"
    assert hide_spoilers("the **end**: ||`all` die||, `a||b||c`").strip() == "the end: (spoiler), a||b||c"
