"""Renders Markdown."""

import json

from chatapp.markdown.rendering import render


def run(text: str) -> bytes:
    """Return the HTML of each block, as JSON."""
    return json.dumps(render(text)).encode()
