"""Emoji by name, such as `:tada:`. The names are those of GitHub; the picker of the pages has the same table."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import orjson

DATA = Path(__file__).resolve().parents[2] / "static/vendor/emoji.json"
"""Copied by `bin/setup`."""

# Not in “10:30:45” and “a:b:c”.
EMOJI_NAME = re.compile(r"(?<!\w):([a-z0-9_+-]{1,64}):(?!\w)", re.ASCII)

CUSTOM_EMOJI_NAME = re.compile(r"(?<![\w/]):([a-z0-9_+-]{1,64}):(?![\w/])", re.ASCII)
"""What may be the name of a custom emoji: not in a URL without a scheme."""

_MARK = '<span data-emoji="'

_MARKED = re.compile(rf'{_MARK}([a-z0-9_+-]+)">(:\1:)</span>', re.ASCII)


@cache
def load_emoji() -> Mapping[str, str]:
    """Return the emoji by their names. The first name in a text loads them, not the start."""
    return {name: emoji["emoji"] for emoji in orjson.loads(DATA.read_bytes()) for name in emoji.get("shortcodes", ())}


def replace_names(text: str) -> str:
    """Return a text with emoji instead of their names."""
    return EMOJI_NAME.sub(lambda match: load_emoji().get(match[1], match[0]), text) if ":" in text else text


def mark_custom_emoji(text: str, image: str | None = None) -> str:
    """Return the HTML of a name with its colons, or of its image.

    Pages find it by its mark when the emoji is added or deleted: see `static/js/custom_emoji.js`.
    """
    return f'{_MARK}{text[1:-1]}">{image or text}</span>'


def replace_custom_emoji(html: str, images: Mapping[str, str] | None) -> str:
    """Return rendered HTML with images of custom emoji by name; without `images` with all names as plain text.

    Rendered texts are cached, and some are rendered by worker processes. None of them depends on the custom emoji.
    """
    if _MARK not in html:
        return html
    if images is None:
        return _MARKED.sub(r"\2", html)
    return _MARKED.sub(lambda match: mark_custom_emoji(match[2], images.get(match[1])), html)
