"""Text as it is written, as HTML: without the parser, which takes long to import."""

import re

from markupsafe import Markup


def render_plain(text: str) -> Markup:
    """Render a text as it is written."""
    return Markup('<p class="plain">{}</p>\n').format(normalize(text))


def normalize(text: str) -> str:
    """Return the text with the same ends of lines everywhere."""
    # The parser ends a line only at these, `splitlines` also at the other characters.
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return re.sub("[\x00\x0b\x0c\x1c-\x1e\x85\u2028\u2029]", " ", text)
