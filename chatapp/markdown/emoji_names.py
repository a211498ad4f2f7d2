"""Emoji by name, such as `:tada:`. The names are those of GitHub; the picker of the pages has the same table."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import orjson

DATA = Path(__file__).resolve().parents[2] / "static/vendor/emoji.json"
"""Copied by `bin/setup`."""

# Not in “10:30:45” and “a:b:c”.
EMOJI_NAME = re.compile(r"(?<!\w):([a-z0-9_+-]{1,50}):(?!\w)", re.ASCII)


@cache
def load_emoji() -> Mapping[str, str]:
    """Return the emoji by their names. The first name in a text loads them, not the start."""
    return {name: emoji["emoji"] for emoji in orjson.loads(DATA.read_bytes()) for name in emoji.get("shortcodes", ())}


def replace_names(text: str) -> str:
    """Return a text with emoji instead of their names."""
    return EMOJI_NAME.sub(lambda match: load_emoji().get(match[1], match[0]), text) if ":" in text else text
