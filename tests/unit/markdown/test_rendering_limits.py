"""Rendering of hostile text: nothing raises, and the work is bounded. `bin/bench rendering` measures the time."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markupsafe import escape
from pygments.lexers import get_all_lexers

from chatapp.conversations.refs import GENERAL
from chatapp.markdown import highlighting, links
from chatapp.markdown.highlighting import LEXERS, MAX_HIGHLIGHTED_CHARS, highlight
from chatapp.markdown.rendering import (
    HIGHLIGHT_SECONDS,
    MAX_COLUMNS,
    RENDER_SECONDS,
    GrowingMarkdown,
    _unwrap_incomplete_link,
    render_within,
)
from chatapp.markdown.time_budget import TimeBudget
from chatapp.presentation.messages import render_body
from chatapp.timeline import TimelineMessage
from tests.harness.rendering import HOSTILE_UNITS, repeat

MARKUP = "*_`~[]()!<>#-+=|\\\"'&:/.1a \n\t"


def ticking(step: float) -> Callable[[], float]:
    """Return a clock that advances by `step` seconds whenever it is read."""
    ticks = count()
    return lambda: next(ticks) * step


def render(text: str, step: float = 0.0) -> str:
    clock = ticking(step)
    return "".join(render_within(text, TimeBudget(RENDER_SECONDS, clock), TimeBudget(HIGHLIGHT_SECONDS, clock)))


def count_steps(text: str) -> int:
    """Return the number of steps of the parser and the lexers, each of which checks the budget."""
    ticks = count()

    def clock() -> float:
        return 0.0 * next(ticks)

    render_within(text, TimeBudget(1, clock), TimeBudget(1, clock))
    return next(ticks)


@given(st.text(max_size=300) | st.text(MARKUP, max_size=300), st.sampled_from([0.0, 0.001, 1.0]))
@settings(deadline=None)
def test_any_text_is_rendered_to_html_of_bounded_length(text: str, step: float) -> None:
    assert len(render(text, step)) <= 100 * len(text) + 1_000


@given(st.text(MARKUP, max_size=60), st.integers(1, 20))
@settings(deadline=None)
def test_any_repeated_text_is_rendered_to_html_of_bounded_length(unit: str, times: int) -> None:
    assert len(render(unit * times)) <= 100 * len(unit) * times + 1_000


@pytest.mark.parametrize("unit", HOSTILE_UNITS)
def test_twice_the_text_takes_at_most_about_twice_the_steps(unit: str) -> None:
    assert count_steps(repeat(unit, 4_000)) <= 2.2 * count_steps(repeat(unit, 2_000)) + 100


def test_a_text_that_exceeds_its_budget_is_shown_as_it_is_written() -> None:
    text = "**bold** <b>" * 10
    assert render(text, 1.0) == f'<p class="plain">{"**bold** &lt;b&gt;" * 10}</p>\n'


def test_an_answer_that_exceeds_its_budget_is_plain_until_it_is_complete() -> None:
    seconds = iter([*[0.0] * 200, *[1_000.0] * 10_000])
    growing = GrowingMarkdown(lambda: next(seconds))
    assert growing.grow("one\n\n**two**") == (0, ["<p>one</p>\n", "<p><strong>two</strong></p>\n"])
    start, changed = growing.grow("one\n\n**two**\n\n" + "*a_ " * 500)
    assert (start, len(changed)) == (0, 1)
    assert changed[0].startswith('<p class="plain">one')
    assert growing.grow("one\n\n**two**\n\nend")[1] == ['<p class="plain">one\n\n**two**\n\nend</p>\n']


def test_a_table_with_many_columns_is_shown_as_text() -> None:
    def table(columns: int) -> str:
        return "\n".join(["|a" * columns, "|-" * columns, "|b" * columns])

    assert "<table>" in render(table(MAX_COLUMNS - 1))
    assert "<table>" not in render(table(MAX_COLUMNS + 1))


def test_lexers_that_are_not_allowed_are_never_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> None:
        raise AssertionError(name)

    monkeypatch.setattr(highlighting, "_get_lexer", fail)
    allowed = {name for lexer, others in LEXERS.items() for name in (lexer, *others)}
    for _, aliases, _, _ in get_all_lexers():
        for alias in set(aliases) - allowed:
            assert highlight("<b>\n", alias, TimeBudget(1)) == "&lt;b&gt;\n"
    assert {"c", "cpp", "console", "ini"} & allowed == set(), "some texts take them longer than 50 ms"


@pytest.mark.parametrize("lexer", LEXERS)
def test_allowed_lexers_highlight_nothing_once_their_budget_is_exceeded(lexer: str) -> None:
    code = "-a = '<b>' # x\n"
    assert "&#39;" not in highlight(code, lexer, TimeBudget(1, ticking(0.0)))
    assert highlight(code, lexer, TimeBudget(1, ticking(2.0))) == "-a = &#39;&lt;b&gt;&#39; # x\n"


@pytest.mark.parametrize("code", ["x" * (MAX_HIGHLIGHTED_CHARS + 1), "def f():" + " " * 100, "if" + "\n" * 100])
def test_code_that_lexers_may_be_slow_for_is_not_highlighted(code: str) -> None:
    assert highlight(code, "python", TimeBudget(1)) == code


@given(st.text("[]()!ab ", max_size=20))
def test_incomplete_links_are_found_without_a_regular_expression(line: str) -> None:
    # It takes time that grows with the square of the length.
    expected = re.sub(r"!?\[([^\]\n]*)(\]\([^)\n]*)?$", r"\1", line)
    assert _unwrap_incomplete_link(line) == expected


@pytest.mark.parametrize("punctuation", ".,>)")
def test_long_punctuation_is_not_searched_for_links(punctuation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object, **_options: object) -> str:
        raise AssertionError

    monkeypatch.setattr(links, "urlize", fail)
    text = f"https://example.com {punctuation * 50}a."
    message = TimelineMessage(conversation=GENERAL, content=text, created_at=datetime.now(UTC))
    assert render_body(message).html == escape(text)
