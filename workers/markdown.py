"""Renders Markdown."""

import json
from collections.abc import Sequence

from chatapp.markdown.rendering import render


def run(text: str, mentioned: Sequence[str]) -> bytes:
    """Return the HTML of each block, as JSON."""
    return json.dumps(render(text, mentioned)).encode()
