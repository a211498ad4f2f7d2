"""Slack's notation as Markdown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatapp.webhooks.slack import to_markdown


@pytest.mark.parametrize(
    ("slack", "markdown"),
    [
        ("Build <https://ci.example.com/5|#5> passed", "Build [#5](https://ci.example.com/5) passed"),
        ("<https://example.com/a?b=1&amp;c=2>", "https://example.com/a?b=1&c=2"),
        ("<https://example.com/(a)|[x]>", r"[\[x\]](https://example.com/%28a%29)"),
        ("<mailto:ana@example.com|ana@example.com>", "ana@example.com"),
        ("*bold*, _italic_ and ~gone~.", "**bold**, _italic_ and ~~gone~~."),
        ("*two words* 2 * 3 * 4 a*b*c", "**two words** 2 * 3 * 4 a*b*c"),
        ("*not\nbold*", "*not\nbold*"),
        ("*<https://example.com|link>*", "**[link](https://example.com)**"),
        ("<@U024|ana> <@U025> <#C1|general> <!channel> <!here>", "@ana @U025 #general @all @all"),
        ("<!date^139^{date}|today> <!subteam^S1|@ops>", "today @ops"),
        ("`*a* &lt;b&gt;` and ```x = *y*```", "`*a* <b>` and \n```\nx = *y*\n```\n"),
        ("5 &lt; 6 &amp; 7", "5 < 6 & 7"),
        ("**", "**"),
        ("plain text", "plain text"),
        ("<javascript:x|y>", "<javascript:x|y>"),
    ],
)
def test_slack_notation_becomes_markdown(slack: str, markdown: str) -> None:
    assert to_markdown(slack) == markdown


@given(st.text("*~`<>|@#!:/a \n&;", max_size=200))
def test_any_text_is_converted(text: str) -> None:
    to_markdown(text)


@pytest.mark.parametrize("unit", ["*", "*a ", "`", "```", "<", "<a|", "~a", "*a", "`a"])
def test_hostile_text_is_converted(unit: str) -> None:
    to_markdown(unit * (10_000 // len(unit)))
