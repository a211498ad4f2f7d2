"""Emoji by name."""

import pytest

from chatapp.markdown.emoji_names import load_emoji, replace_names
from chatapp.markdown.rendering import render
from chatapp.markdown.syntax import may_be_markdown
from chatapp.presentation.emoji import is_few_emoji


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (":tada: and :+1:", "🎉 and 👍️"),
        (":white_check_mark: *done*:rocket:", "✅️ <em>done</em>🚀"),
        ("(:heart:)", "(❤️)"),
        (":no_such_emoji: :tada", ":no_such_emoji: :tada"),
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
