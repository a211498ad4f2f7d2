"""Emoji by name."""

import pytest

from chatapp.markdown.emoji_names import load_emoji, replace_custom_emoji, replace_names
from chatapp.markdown.rendering import extract_text, render
from chatapp.markdown.syntax import may_be_markdown
from chatapp.presentation.emoji import is_few_emoji


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (":tada: and :+1:", "🎉 and 👍️"),
        (":white_check_mark: *done*:rocket:", "✅️ <em>done</em>🚀"),
        ("(:heart:)", "(❤️)"),
        (":tada :no such emoji:", ":tada :no such emoji:"),
        ("10:100:30 a:tada: :tada:b", "10:100:30 a:tada: :tada:b"),
        (r"\:tada: `:tada:`", ":tada: <code>:tada:</code>"),
    ],
)
def test_names_of_emoji_are_replaced_but_not_in_code(text: str, shown: str) -> None:
    assert render(text) == (f"<p>{shown}</p>\n",)


def test_every_name_is_found_by_the_check() -> None:
    names = load_emoji()
    assert len(names) > 1_500
    for name, emoji in names.items():
        assert may_be_markdown(f"a :{name}:")
        assert render(f":{name}:") == (f"<p>{emoji}</p>\n",)
        assert replace_names(f":{name}:") == emoji


def test_a_few_names_are_shown_larger() -> None:
    assert is_few_emoji(":tada: :+1: :heart:")
    assert not is_few_emoji(":tada: :+1: :heart: :rocket:")
    assert not is_few_emoji(":tada: done")
    assert not is_few_emoji(":no_such_emoji:")


IMAGE = '<span data-emoji="blobcat"><img></span>'


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (":blobcat:", IMAGE),
        ("go :blobcat::blobcat:!", f"go {IMAGE}{IMAGE}!"),
        ("*:blobcat:* [see :blobcat:](https://example.com)", f"<em>{IMAGE}</em>"),
        ("||:blobcat:||", IMAGE),
        (":unknown:", '<span data-emoji="unknown">:unknown:</span>'),
        ("`:blobcat:`", "<code>:blobcat:</code>"),
        ("```\n:blobcat:\n```", "<code>:blobcat:"),
        (r"\:blobcat:", ":blobcat:"),
        ("10:blobcat:30 a:blobcat: :blobcat:b :Blobcat:", "10:blobcat:30 a:blobcat: :blobcat:b :Blobcat:"),
        ("https://example.com/:blobcat: example.com/:blobcat:/a", 'href="https://example.com/:blobcat:/a"'),
        ("@:blobcat: :tada:", f"@{IMAGE} 🎉"),
        (f":{'a' * 64}: :{'a' * 65}:", f"<b>long</b></span> :{'a' * 65}:"),
    ],
)
def test_names_of_custom_emoji_become_images_but_not_in_code_and_urls(text: str, shown: str) -> None:
    html = "".join(render(text))
    replaced = replace_custom_emoji(html, {"blobcat": "<img>", "a" * 64: "<b>long</b>"})
    assert shown in replaced
    assert "data-emoji" not in replace_custom_emoji(html, None)
    assert ("<img>" in replaced) == ("<img>" in shown)


def test_a_person_cannot_write_the_mark_of_an_emoji() -> None:
    (html,) = render('<span data-emoji="blobcat">:blobcat:</span>')
    assert replace_custom_emoji(html, {"blobcat": "<img>"}).count("<img>") == 1
    assert "&lt;span data-emoji=" in html


def test_the_text_of_a_message_has_the_names_of_custom_emoji() -> None:
    assert extract_text("*go* :blobcat: ||:blobcat:||", 1.0) == "go :blobcat: (spoiler)\n"


def test_a_few_custom_emoji_are_shown_larger() -> None:
    names = {"blobcat", "a" * 64}
    assert is_few_emoji(":blobcat:", names)
    assert is_few_emoji(":blobcat::tada: :blobcat:", names)
    assert is_few_emoji(" ".join([f":{'a' * 64}:"] * 3), names)
    assert not is_few_emoji(" ".join([":blobcat:"] * 4), names)
    assert not is_few_emoji(":blobcat: :unknown:", names)
    assert not is_few_emoji(":blobcat: done", names)
