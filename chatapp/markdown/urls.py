"""The links of a message to pages of which it shows previews."""

import re
from collections.abc import Iterator, Sequence
from html import unescape
from typing import TYPE_CHECKING

from chatapp.http_client import is_http_url
from chatapp.markdown.links import LONG_PUNCTUATION, link_urls

if TYPE_CHECKING:
    from markdown_it.token import Token

MAX_URL_CHARS = 2_000

PARSE_SECONDS = 0.05
"""Time after which a text has no previews: rendering shows it as it is written."""

_HREF = re.compile(r'href="([^"]*)"')


def find_urls(text: str, limit: int) -> list[str]:
    """Return the first URLs that a message links to, each once, as they are written, with a scheme in small letters.

    Those in code, in spoilers and in angle brackets do not count, nor do those without a scheme.
    """
    if "://" not in text:
        return []
    from chatapp.markdown.rendering import parse  # The first message with a URL imports the parser.

    found: dict[str, None] = {}
    for token in parse(text, PARSE_SECONDS) or ():
        for url in _find_in_line(token.children or ()):
            if len(url) <= MAX_URL_CHARS and is_http_url(normalize_url(url)):
                found[url] = None
                if len(found) == limit:
                    return list(found)
    return list(found)


def normalize_url(url: str) -> str:
    """Return a URL in ASCII."""
    from chatapp.markdown import rendering

    return rendering.normalize_url(url)


def _find_in_line(tokens: "Sequence[Token]") -> Iterator[str]:
    is_hidden = is_in_link = False
    for token in tokens:
        match token.type:
            case "spoiler_open":
                is_hidden = True
            case "spoiler_close":
                is_hidden = False
            case "link_open":
                is_in_link = True
                if not is_hidden and token.markup != "autolink":
                    yield str(token.attrGet("href") or "")
            case "link_close":
                is_in_link = False
            case "url" if not is_hidden and not is_in_link and not LONG_PUNCTUATION.search(token.content):
                link = _HREF.search(link_urls(token.content))
                url = unescape(link[1]) if link else ""
                # Not one to which a scheme was added.
                if url and url.partition(":")[2] in token.content:
                    yield url
