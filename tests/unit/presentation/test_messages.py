"""The body of a message that a user wrote: links and mentions, of which a message has a bounded number."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2.utils import urlize
from markupsafe import escape

from chatapp.conversations.people import Person
from chatapp.conversations.refs import ConversationRef
from chatapp.markdown import links
from chatapp.markdown.marks import MAX_LINKS, MAX_MENTIONS
from chatapp.presentation.messages import present_mentioned, render_body, render_text
from chatapp.timeline import TimelineMessage

BOB = Person(2, "b", "Bob")

MAX_CHARS = 10_000


def make_message(content: str, *mentions: Person) -> TimelineMessage:
    return TimelineMessage(
        conversation=ConversationRef("room", 1),
        content=content,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        mentions=mentions,
    )


def render(content: str, *mentions: Person) -> str:
    return str(render_body(make_message(content, *mentions)).html)


def text_of(html: str) -> str:
    return unescape(re.sub("<[^>]*>", "", html))


@pytest.mark.parametrize(
    ("unit", "mark", "limit"),
    [
        ("@b ", '<span class="mention"', MAX_MENTIONS),
        ("@all\n", '<span class="mention"', MAX_MENTIONS),
        ("www.aa ", "<a ", MAX_LINKS),
        ("a@b.cd ", "<a ", MAX_LINKS),
        ("(https://a.bc/?c&d=<e>), ", "<a ", MAX_LINKS),
        ("@b xx.org ", "<a ", MAX_LINKS),
    ],
)
def test_a_message_has_a_bounded_number_of_links_and_mentions(unit: str, mark: str, limit: int) -> None:
    content = unit * (MAX_CHARS // len(unit))
    html = render(content, BOB)
    assert html.count(mark) == limit
    assert text_of(html) == content
    assert len(html) <= len(escape(content)) + 15_000


def test_the_people_that_a_message_marks_are_bounded() -> None:
    people = [Person(number, f"person{number}", "") for number in range(1, 5_001)]
    assert present_mentioned(make_message("@all lunch", *people)) == "all"
    named = people[: MAX_MENTIONS + 10]
    content = " ".join(f"@{person.username}" for person in named)
    assert present_mentioned(make_message(content, *named)).split() == [str(n) for n in range(1, MAX_MENTIONS + 1)]
    assert present_mentioned(make_message("@b", BOB)) == "2"


def test_what_exceeds_the_limits_is_escaped_text() -> None:
    assert render("@b " * MAX_MENTIONS + "@b <b> www.aa", BOB).endswith(
        'data-mention="b">@b</span> @b &lt;b&gt; '
        '<a href="https://www.aa" rel="noopener noreferrer nofollow" target="_blank">www.aa</a>'
    )
    assert render("www.aa " * MAX_LINKS + "www.bb <b> @b", BOB).endswith(
        '>www.aa</a> www.bb &lt;b&gt; <span class="mention" data-mention="b">@b</span>'
    )


def test_text_that_only_looks_like_links_is_not_counted() -> None:
    assert "<a " in render("12:30 a.b :) " * 500 + "www.aa")
    assert "<a " in render("x@y " * MAX_LINKS + "www.aa")


@given(st.lists(st.from_regex(r"(https?://|www\.|mailto:|a|b@|\.|com|1\.2|\[::1\]|[:/?#()<>&,é -])+", fullmatch=True)))
def test_words_are_searched_for_links_only_if_they_may_be_links(parts: list[str]) -> None:
    text = "\n".join(parts)
    assert render_text(text) == urlize(text, rel="noopener noreferrer nofollow", target="_blank")


@pytest.mark.parametrize("url", ["HTTP://a.com/X", "HttpS://a.com/?u=HTTP://b.com"])
def test_a_scheme_in_capital_letters_is_one(url: str) -> None:
    scheme, rest = url.split(":", 1)
    for html in (render_text(url), render(f"*see* {url}")):
        assert f'<a href="{scheme.lower()}:{rest}" ' in html
        assert f">{url}</a>" in html


def test_a_body_is_rendered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object, **_options: object) -> str:
        raise AssertionError

    first = render("@b www.rendered-once.org", BOB)
    monkeypatch.setattr(links, "urlize", fail)
    assert render("@b www.rendered-once.org", BOB) == first
    with pytest.raises(AssertionError):
        render("@b www.rendered-once.org", Person(3, "c", "Cleo"))


@pytest.mark.parametrize(
    ("content", "text"),
    [("/me waves at @b", "Ana waves at @b"), ("/me **waves**", "Ana waves\n"), ("/me <b>", "Ana <b>")],
)
def test_what_somebody_does_follows_their_name(content: str, text: str) -> None:
    body = render_body(replace(make_message(content, BOB), sender=Person(1, "ana", "Ana")))
    assert text_of(body.html) == text
    assert body.is_formatted, "an edit begins with what was written"


def test_only_the_first_mark_of_an_action_has_a_meaning() -> None:
    content = "/me " * (MAX_CHARS // 4)
    assert text_of(render(content)) == "Former member " + content.removeprefix("/me ")


@pytest.mark.parametrize("content", ["/me", "/menu", "say /me waves", "//me waves"])
def test_other_text_is_shown_as_it_is(content: str) -> None:
    assert render(content) == content
