"""Which messages are shown as large emoji. The tests of the browser's code read the same cases."""

import json
from pathlib import Path

import pytest

from chatapp.presentation.emoji import is_few_emoji

CASES = json.loads((Path(__file__).parents[2] / "emoji_cases.json").read_bytes())


@pytest.mark.parametrize("content", CASES["few"])
def test_a_few_emoji_are_large(content: str) -> None:
    assert is_few_emoji(content)


@pytest.mark.parametrize("content", CASES["other"])
def test_other_texts_are_not(content: str) -> None:
    assert not is_few_emoji(content)
