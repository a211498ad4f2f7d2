"""Markdown as assistants write it."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chatapp.presentation.markdown import GrowingMarkdown, render_blocks

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


def drawn(text: str) -> str:
    return "".join(render_blocks(text))


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
def test_what_is_dangerous_stays_text(text: str, absent: str) -> None:
    assert absent not in drawn(text)


def test_what_people_read_is_drawn() -> None:
    html = drawn("# Plan\n\nSome **bold** `code`\nand https://example.com\n\n- one\n\n| a |\n|---|\n| 1 |\n\n> said")
    for part in ("<h1>Plan</h1>", "<strong>bold</strong>", "<code>code</code>", "<li>one</li>", "<td>1</td>", "<br"):
        assert part in html
    assert 'href="https://example.com" target="_blank" rel="noopener noreferrer nofollow"' in html
    assert "<blockquote>" in html


def test_an_address_of_ours_opens_in_the_same_page() -> None:
    assert drawn("[there](/conversations/general/messages/3)") == (
        '<p><a href="/conversations/general/messages/3" rel="noopener noreferrer nofollow">there</a></p>\n'
    )


def test_code_has_its_colours_where_the_language_is_known() -> None:
    assert '<span class="hl-k">def</span>' in drawn("```python\ndef f(): pass\n```")
    assert "hl-" not in drawn("```nonsense\ndef f(): pass\n```")


def test_what_is_only_begun_does_not_show_its_marks() -> None:
    for begun, shown in [
        ("some **bo", "<p>some <strong>bo</strong></p>\n"),
        ("some `co", "<p>some <code>co</code></p>\n"),
        ("see [the plan](/conversa", "<p>see the plan</p>\n"),
        ("see [the pl", "<p>see the pl</p>\n"),
        ("some **", "<p>some </p>\n"),
    ]:
        _, (block,) = GrowingMarkdown().grow(begun)
        assert block.replace(" </p>", "</p>") == shown.replace(" </p>", "</p>"), begun


@given(st.lists(st.sampled_from(PIECES), max_size=14), st.booleans())
@example(["para\n#", "> a | b", "\n-|-", "* "], False)
@settings(max_examples=600, deadline=None)
def test_what_was_drawn_while_it_grew_is_what_the_whole_looks_like(pieces: list[str], by_character: bool) -> None:
    growing, text, blocks = GrowingMarkdown(), "", []
    for piece in pieces:
        for part in piece if by_character else [piece]:
            text += part
            place, fresh = growing.grow(text)
            assert place <= len(blocks)
            blocks[place:] = fresh
    # A last block that is begun may look otherwise until it is finished: what its end has opened is closed.
    place, fresh = growing.grow(text + "\n\nend\n\nend")
    blocks[place:] = fresh
    assert blocks == list(render_blocks(text + "\n\nend\n\nend"))


@pytest.mark.parametrize(
    "hostile", ["*a_ " * 1000, "[" * 4000, "> " * 2000, "**a " * 1000, "![[]()" * 700, "a@b." * 1000]
)
def test_hostile_text_is_drawn(hostile: str) -> None:
    assert drawn(hostile)
