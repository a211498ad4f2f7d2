"""Links of URLs and e-mail addresses that are written without markup. Texts with and without markup share the rules."""

import re
from itertools import islice

from jinja2.utils import urlize
from markupsafe import Markup, escape

# Parts of every text that `urlize` makes a link of. Few other texts contain them, and to find links is the slowest part
# of rendering. Patterns that begin with one of few characters are searched much faster than one pattern for all.
_URL = re.compile(r"(?:[hH][tT]{2}[pP][sS]?://|[wW]{3}\.)[\w%\[-]")
_ADDRESS = re.compile(r"@(?<=\S@)\w[\w.-]*\.\w")
_DOMAIN = re.compile(r"\.(?=[cneogim])(?:com|net|int|edu|gov|org|info|mil)(?![^\s:/?#)>.,])", re.IGNORECASE)

_WORD = re.compile(r"\S+")

# Jinja2 looks for the end of such a run from each of its characters: 2 s for 10,000 of them. No URL has so many.
LONG_PUNCTUATION = re.compile(r"[)>.,]{50}")


# `urlize` does not recognize a scheme in capital letters: it adds another one.
_SECOND_SCHEME = re.compile(r'href="https://(?!https?://)([hH][tT]{2}[pP][sS]?://)')


def link_urls(text: str, *, rel: str | None = None, target: str | None = None) -> str:
    """Return a text as HTML, with links of its URLs and e-mail addresses, which have these attributes."""
    return _SECOND_SCHEME.sub(lambda found: f'href="{found[1].lower()}', urlize(text, rel=rel, target=target))


def may_have_link(text: str) -> bool:
    """Return whether a text without markup may contain a link."""
    if "." not in text and "://" not in text:
        return False
    return bool(_DOMAIN.search(text) or _URL.search(text) or ("@" in text and _ADDRESS.search(text)))


def render_links(text: str, limit: int) -> tuple[Markup, int]:
    """Escape plain text, make links of its first URLs and e-mail addresses, and return how many more may follow.

    Whatever looks like a link counts, so that the time is bounded as well.
    """
    if limit == 0 or not may_have_link(text) or LONG_PUNCTUATION.search(text):
        return escape(text), limit
    words = (word for word in _WORD.finditer(text) if may_have_link(word[0]))
    parts: list[Markup] = []
    end = 0
    for word in islice(words, limit):
        link = link_urls(word[0], rel="noopener noreferrer nofollow", target="_blank")
        parts += escape(text[end : word.start()]), Markup(link)  # noqa: S704 - `urlize` escapes
        end = word.end()
        limit -= 1
    return Markup("").join([*parts, escape(text[end:])]), limit
