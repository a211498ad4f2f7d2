"""The examples of CommonMark's specification, with the deliberate differences (docs/decisions/0054-formatting.md)."""

import re
from collections.abc import Iterator

import nh3
import pytest

from chatapp.markdown.rendering import render_within
from chatapp.markdown.time_budget import TimeBudget
from tests.harness import ROOT

SPECIFICATION = ROOT / "node_modules/commonmark-spec/spec.txt"

_EXAMPLE = re.compile(r"^`{32} example\n(.*?)^\.\n(.*?)^`{32}$", re.MULTILINE | re.DOTALL)

DIFFERENCES = {
    "Raw HTML is text: the page trusts nobody's HTML.": r"</?[a-zA-Z][\w-]*(?:\s|/?>|$)|<!|<\?",
    "An image is a link: it would be a request to another server.": r"!\[",
    "There are no references: a block of a growing answer cannot depend on a later one.": r"\]:",
    "Indented text is no code: it was usually pasted.": r"(?:^|[>.)\n-])[ >]*(?: {4}|\t)",
    "A link has the scheme http, https or mailto.": r"<(?!http|mailto)[\w+.-]+:",
    "A URL and an e-mail address without markup are links.": r"https?://|\w@\w",
}
"""Reasons, each with what the examples contain that are different for this reason."""

# All that the examples contain without attributes that only chatapp adds.
_CLEANER = nh3.Cleaner(
    tags={"a", "blockquote", "br", "code", "em", "hr", "li", "ol", "p", "pre", "strong", "ul"}
    | {f"h{level}" for level in range(1, 7)},
    attributes={"a": {"href", "title"}, "ol": {"start"}},
    link_rel=None,
)


def list_examples() -> Iterator[tuple[str, str]]:
    """Yield the Markdown and the HTML of each example."""
    for example in _EXAMPLE.finditer(SPECIFICATION.read_text()):
        text, html = example.groups()
        yield text.replace("→", "\t"), html.replace("→", "\t")


def simplify(html: str) -> str:
    """Return HTML without the head of code, with a line break for each `<br>`, and without blanks between elements."""
    html = _CLEANER.clean(re.sub(r'<div class="code-head">.*?</div>', "", html))
    html = re.sub(r"<br>\n?", "\n", html).replace("\n</code>", "</code>")
    if "<pre" in html:
        return re.sub(r"(?<=>)\n+(?=<)", "", html).strip()
    return re.sub(r"\n+(?=<)|(?<=>)\n+", "", html).strip()


def is_rendered(text: str, html: str) -> bool:
    """Return whether a text is rendered as the specification says."""
    return simplify("".join(render_within(text, TimeBudget(60), TimeBudget(60)))) == simplify(html)


@pytest.fixture(scope="module")
def different() -> list[str]:
    """The texts of all examples that are rendered differently."""
    return [text for text, html in list_examples() if not is_rendered(text, html)]


def test_the_examples_are_complete() -> None:
    assert len(list(list_examples())) == 652


def test_each_difference_from_commonmark_has_a_reason(different: list[str]) -> None:
    assert [text for text in different if not any(re.search(mark, text) for mark in DIFFERENCES.values())] == []
    for reason, mark in DIFFERENCES.items():
        assert any(re.search(mark, text) for text in different), f"no longer different: {reason}"
    assert len(different) <= 209, "more examples than before are rendered differently"
