"""Rendering of Markdown in answers, whole and while it grows."""

from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it.common.normalize_url import normalizeLink

from chatapp.markdown import highlighting, rendering
from chatapp.markdown.html_rules import MAX_CODE_LINES
from chatapp.markdown.rendering import GrowingMarkdown

PIECES = [
    *(
        "para",
        "\n",
        "\n\n",
        "- x",
        "* ",
        "# ",
        "#",
        "```",
        "`",
        "**",
        "***",
        "---",
        "a | b",
        "-|-",
        "1. ",
        "    ",
        "> ",
    ),
    *("text ", "\r\n", "[l](http://e)", "\t", "  ", "~~~", "=", "\u2028", "<b>", "![i](http://e/i.png)", "www.e.com"),
]


@pytest.fixture(scope="module", autouse=True)
def unlimited_time() -> Iterator[None]:
    """Render without limits of time: a garbage collection could exceed them. `test_rendering_limits.py` tests them."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(rendering, "RENDER_SECONDS", 60.0)
        monkeypatch.setattr(rendering, "HIGHLIGHT_SECONDS", 60.0)
        yield


def render(text: str) -> str:
    return "".join(rendering.render(text))


@pytest.mark.parametrize(
    ("text", "absent"),
    [
        ("<script>alert(1)</script>", "<script"),
        ("<img src=x onerror=alert(1)>", "<img"),
        ("![picture](https://example.com/spy.png)", "<img"),
        ("[link](javascript:alert(1))", "href"),
        ("[link](data:text/html,x)", "href"),
        ("[link](vbscript:x)", "href"),
        ("```html\n<script>alert(1)</script>\n```", "<script"),
        ('```" onmouseover="alert(1)\ncode\n```', 'onmouseover="'),
        ("[x]: javascript:alert(1)\n\n[x]", "href"),
        ('<a href="https://example.com" onclick="x">link</a>', "onclick=&#34;x&#34;>"),
    ],
)
def test_dangerous_markup_stays_text(text: str, absent: str) -> None:
    assert absent not in render(text)


def test_common_markup_is_rendered() -> None:
    html = render("# Plan\n\nSome **bold** `code`\nand https://example.com\n\n- one\n\n| a |\n|---|\n| 1 |\n\n> said")
    for part in ("<h1>Plan</h1>", "<strong>bold</strong>", "<code>code</code>", "<li>one</li>", "<td>1</td>", "<br"):
        assert part in html
    assert 'href="https://example.com" target="_blank" rel="noopener noreferrer nofollow"' in html
    assert "<blockquote>" in html


def test_a_link_within_chatapp_opens_in_the_same_page() -> None:
    assert render("[there](/conversations/general/messages/3)") == (
        '<p><a href="/conversations/general/messages/3" rel="noopener noreferrer nofollow">there</a></p>\n'
    )


def test_a_protocol_relative_link_opens_in_a_new_page() -> None:
    assert 'target="_blank"' in render("[there](//example.com)")


def test_only_code_of_a_known_language_is_highlighted() -> None:
    assert '<span class="hl-k">def</span>' in render("```python\ndef f(): pass\n```")
    assert "hl-" not in render("```nonsense\ndef f(): pass\n```")
    assert "hl-" not in render("```\ndef f(): pass\n```")


def test_very_long_code_is_not_highlighted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(highlighting, "MAX_HIGHLIGHTED_CHARS", 10)
    assert "hl-" not in render("```python\ndef long(): pass\n```")


def test_long_code_is_folded() -> None:
    lines = "line\n" * MAX_CODE_LINES
    assert "data-fold" not in render(f"```\n{lines}```")
    assert '<div class="code is-long">' in render(f"```\n{lines}last\n```")
    assert "data-fold" in render(f"```\n{lines}last\n```")


@pytest.mark.parametrize(
    ("text", "blocks"),
    [
        ("", []),
        ("one", ["<p>one</p>\n"]),
        ("one\n\ntwo", ["<p>one</p>\n", "<p>two</p>\n"]),
        ("# one\ntwo", ["<h1>one</h1>\n", "<p>two</p>\n"]),
        ("- one\n- two\n\nthree", ["<ul>\n<li>one</li>\n<li>two</li>\n</ul>\n", "<p>three</p>\n"]),
        ("> one\n\n> two", ["<blockquote>\n<p>one</p>\n</blockquote>\n", "<blockquote>\n<p>two</p>\n</blockquote>\n"]),
        ("one\r\n\r\ntwo", ["<p>one</p>\n", "<p>two</p>\n"]),
        ("one\x0btwo\u2028three", ["<p>one two three</p>\n"]),
    ],
)
def test_each_block_is_rendered_by_itself(text: str, blocks: list[str]) -> None:
    assert list(rendering.render(text)) == blocks


def test_only_the_last_block_of_a_growing_text_is_rendered_again() -> None:
    growing = GrowingMarkdown()
    assert growing.grow("one") == (0, ["<p>one</p>\n"])
    assert growing.grow("one\n\ntw") == (0, ["<p>one</p>\n", "<p>tw</p>\n"])
    assert growing.grow("one\n\ntwo\n") == (0, ["<p>one</p>\n", "<p>two</p>\n"])
    assert growing.grow("one\n\ntwo\n\nthree") == (1, ["<p>two</p>\n", "<p>three</p>\n"])
    assert growing.grow("one\n\ntwo\n\nthree\n\n- x\n") == (
        1,
        ["<p>two</p>\n", "<p>three</p>\n", "<ul>\n<li>x</li>\n</ul>\n"],
    )
    assert growing.grow("one\n\ntwo\n\nthree\n\n- x\n- y\n") == (3, ["<ul>\n<li>x</li>\n<li>y</li>\n</ul>\n"])


@pytest.mark.parametrize(
    ("incomplete", "rendered"),
    [
        ("some **bo", "<p>some <strong>bo</strong></p>\n"),
        ("some `co", "<p>some <code>co</code></p>\n"),
        ("see [the plan](/conversa", "<p>see the plan</p>\n"),
        ("see [the pl", "<p>see the pl</p>\n"),
        ("some **", "<p>some </p>\n"),
    ],
)
def test_incomplete_markup_is_rendered_as_if_it_were_complete(incomplete: str, rendered: str) -> None:
    _, (block,) = GrowingMarkdown().grow(incomplete)
    assert block.replace(" </p>", "</p>") == rendered.replace(" </p>", "</p>")


@given(st.from_regex(rendering.NORMAL_URL, fullmatch=True))
@example("http://xn--bcher-kva.example/a/../b//~c.")
def test_a_url_that_is_taken_as_it_is_is_normal(url: str) -> None:
    assert normalizeLink(url) == url


def test_a_url_with_a_host_that_is_too_long_is_not_taken_as_it_is() -> None:
    assert not rendering.NORMAL_URL.fullmatch(f"http://{'a.' * 128}b/path")
    assert rendering.NORMAL_URL.fullmatch(f"http://{'a.' * 127}b/{'p' * 300}")


@given(st.lists(st.sampled_from(PIECES), max_size=14), st.booleans())
@example(["para\n#", "> a | b", "\n-|-", "* "], False)
@settings(max_examples=600, deadline=None)
def test_a_text_rendered_in_steps_equals_the_whole_text(pieces: list[str], by_character: bool) -> None:
    growing, text = GrowingMarkdown(lambda: 0.0), ""
    blocks: list[str] = []
    for piece in pieces:
        for part in piece if by_character else [piece]:
            text += part
            start, changed = growing.grow(text)
            assert start <= len(blocks)
            blocks[start:] = changed
    # The last block may look different until it is complete, because open markup is closed at its end.
    start, changed = growing.grow(text + "\n\nend\n\nend")
    blocks[start:] = changed
    assert blocks == list(rendering.render(text + "\n\nend\n\nend"))


@pytest.mark.parametrize(
    "hostile", ["*a_ " * 1000, "[" * 4000, "> " * 2000, "**a " * 1000, "![[]()" * 700, "a@b." * 1000]
)
def test_hostile_text_is_rendered(hostile: str) -> None:
    assert render(hostile)
