"""The check whether a text contains Markdown: what it calls plain looks the same with the parser and without it."""

import re
from html import unescape

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chatapp.markdown.marks import Marks
from chatapp.markdown.plain import normalize
from chatapp.markdown.rendering import render_within
from chatapp.markdown.syntax import may_be_markdown
from chatapp.markdown.time_budget import TimeBudget
from tests.harness.rendering import HOSTILE_UNITS

NAMES = frozenset({"ana", "all"})

MARKUP = "*_`~[]()!<>#-+=|\\\"'&:;/.1a@ \n\t"

WORDS = st.sampled_from(
    [
        *(
            "@ana",
            "@all",
            "(@ana)",
            "x@ana",
            "_",
            "a_b",
            "-",
            "- ",
            "1.",
            "2) ",
            "#",
            "# ",
            "=",
            "--",
            "+",
            "> ",
            "a|b",
        ),
        *("https://a.org/b_c", "(https://a.org/(b))", "www.a.org", "a@b.org", "http://a.org/?x=@ana", "x.org", "|"),
        *("*", " * ", "~", "||", ":x:", "10:20:30", "&", "&amp;", "<", "<b>", "<a:b>", "\\", "\\.", "[x](y)", "[ ]"),
        *(" ", "  ", "\n", "\n\n", "\t", "    ", "a", "é", "\u00a0", "\u3000", "b.", "`", "\r\n", "~~", "://", ")"),
    ]
)

TEXTS = st.text(max_size=60) | st.text(MARKUP, max_size=40) | st.lists(WORDS, max_size=12).map("".join)


def look(html: str) -> tuple[str, list[tuple[str, str]], list[str]]:
    """Return what is visible of HTML but for white space: its text, its links, its highlighted mentions."""
    html = re.sub(r"<br>|</p>", " ", html)
    links = re.findall(r'<a href="([^"]*)"[^>]*>([^<]*)</a>', html)
    mentions = re.findall(r'<span class="mention"[^>]*>([^<]*)</span>', html)
    text = " ".join(unescape(re.sub(r"<[^>]*>", "", html)).split())
    return text, [(unescape(href), unescape(text)) for href, text in links], mentions


@given(TEXTS)
@settings(max_examples=1_000, deadline=None)
@example("https://a.org/b_c (www.a.org/d), a@b.org")
@example("http://a.org/?x=@ana @ana")
@example("a\n    indented\n\tlines")
@example("a_b _ c")
@example("\\0@ANA")
@example("HTTP://\u00a0@ANA")
def test_a_text_that_is_called_plain_looks_the_same_with_the_parser(text: str) -> None:
    text = normalize(text)
    if may_be_markdown(text):
        return
    formatted = "".join(render_within(text, TimeBudget(60), TimeBudget(60), NAMES))
    assert look(formatted) == look(Marks(NAMES).render(text))


@pytest.mark.parametrize(
    "text",
    [
        *(
            "hello",
            "Is it 10:30 or 11:30?",
            "snake_case and CamelCase",
            "5 < 6 > 4",
            "a | b",
            "1 - 2 = -1",
            "C:\\Users",
        ),
        *("https://example.com/a_b?c=d&e=f#g", "(see www.example.com)", "R&D", "#topic", "-5 degrees", "a\nb\n\nc"),
        *("@ana, @bob", ":-) :)", "[x]", "~5", "2.5", "so --- what", "<b>", ""),
    ],
)
def test_ordinary_text_needs_no_parser(text: str) -> None:
    assert not may_be_markdown(text)


@pytest.mark.parametrize(
    "text",
    [
        *("*a*", "_a_", "`a`", "~~a~~", "||a||", "[a](b)", "a\n- b", "1. a", "# a", "> a", "a\n===", "a\n--", "***"),
        *("a|b\n-|-", "```\na\n```", "~~~\na\n~~~", "\\*", "&amp;", "<https://a.b>", "<a@b.c>", ":tada:", "- [ ] a"),
    ],
)
def test_markup_is_found(text: str) -> None:
    assert may_be_markdown(text)


@pytest.mark.parametrize("unit", [*HOSTILE_UNITS, ":a", "<a", "&a", "a:", "-", "| ", "_a", " - ", "\n|", "\n -"])
def test_long_text_is_checked_in_one_pass(unit: str) -> None:
    may_be_markdown(unit * 100_000)
