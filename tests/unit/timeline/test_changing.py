import pytest

from chatapp.errors import Invalid
from chatapp.timeline.changing import check_reaction


@pytest.mark.parametrize("emoji", ["👍", "❤️", "👩‍💻", "🇩🇪", "👍🏽", "☕", "1\ufe0f\u20e3"], ids=ascii)
def test_an_emoji_is_a_reaction(emoji: str):
    assert check_reaction(emoji) == emoji


@pytest.mark.parametrize(
    "value", [None, 1, "", "x", "ok 👍", "👍x", "<b>", "\0", "\u200b", "\ud83d", "👍" * 17, "1", "1\ufe0f"], ids=ascii
)
def test_anything_else_is_invalid(value: object):
    with pytest.raises(Invalid):
        check_reaction(value)
