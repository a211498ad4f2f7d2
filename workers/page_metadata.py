"""Metadata of web pages: Open Graph (https://ogp.me), Twitter cards, and the title. The pages are untrusted."""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from html.parser import HTMLParser
from unicodedata import category

MAX_TITLE_CHARS, MAX_DESCRIPTION_CHARS, MAX_SITE_CHARS, MAX_ALT_CHARS = 200, 400, 100, 400

MAX_URL_CHARS = 2_000

MAX_VALUES = 500
"""Maximum number of `<meta>` elements that are looked at."""

# Others decode slowly (punycode), or what no browser decodes (unicode_escape).
ENCODINGS = re.compile(
    r"utf-?8|us-ascii|iso-8859-\d{1,2}|latin1|windows-125\d|koi8-[ru]|shift_jis|euc-(?:jp|kr)|gb2312|gbk|gb18030|big5"
)

_DECLARED = re.compile(rb"""<meta[^>]{1,200}charset=["']?([\w-]{1,20})""", re.IGNORECASE)
_DECLARED_WITHIN_BYTES = 1_024

_TITLES = ("og:title", "twitter:title")
_DESCRIPTIONS = ("og:description", "twitter:description", "description")
# With the names of their alternative texts: that of another picture would be wrong.
_PICTURES = {
    "og:image:secure_url": "og:image:alt",
    "og:image": "og:image:alt",
    "og:image:url": "og:image:alt",
    "twitter:image": "twitter:image:alt",
}


@dataclass(frozen=True, slots=True)
class PageMetadata:
    """What a page says about itself. Texts are single lines, empty if they are missing."""

    title: str
    description: str
    site: str
    picture: str
    """The URL of the picture as it is written there, maybe relative."""
    picture_alt: str
    """The alternative text of the picture."""


def parse_page(content: bytes, charset: str = "") -> PageMetadata:
    """Return the metadata of a page, or of its beginning. `charset` is that of its `Content-Type`."""
    parser = _HeadParser()
    with suppress(AssertionError):  # The library raises it for some malformed declarations. What precedes them counts.
        parser.feed(content.decode(_find_encoding(content, charset), "replace"))
    values = parser.values

    def find(names: tuple[str, ...], max_chars: int) -> str:
        return next((text for name in names if (text := clean(values.get(name, ""), max_chars))), "")

    picture, alt_name = _find_picture(values)
    return PageMetadata(
        title=find(_TITLES, MAX_TITLE_CHARS) or clean("".join(parser.title), MAX_TITLE_CHARS),
        description=find(_DESCRIPTIONS, MAX_DESCRIPTION_CHARS),
        site=find(("og:site_name",), MAX_SITE_CHARS),
        picture=picture,
        picture_alt=find((alt_name,), MAX_ALT_CHARS),
    )


def clean(text: str, max_chars: int) -> str:
    """Return a text on one line, without control characters and marks of direction, with at most `max_chars`."""
    text = text[: 10 * max_chars]
    visible = "".join(
        character if category(character) not in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} else " "
        for character in text.replace("\u200d", "").replace("\u00ad", "")
    )
    line = " ".join(visible.split())
    return line if len(line) <= max_chars else f"{line[: max_chars - 1].rstrip()}…"


def _find_picture(values: Mapping[str, str]) -> tuple[str, str]:
    """Return the URL of the picture and the name of its alternative text, both empty if there is none."""
    found = ((values.get(name, "").strip(), alt_name) for name, alt_name in _PICTURES.items())
    url, alt_name = next((each for each in found if each[0]), ("", ""))
    return (url, alt_name) if len(url) <= MAX_URL_CHARS else ("", "")


def _find_encoding(content: bytes, charset: str) -> str:
    if content.startswith(b"\xef\xbb\xbf"):
        return "utf-8-sig"
    declared = _DECLARED.search(content[:_DECLARED_WITHIN_BYTES])
    name = (charset or (declared[1].decode("ascii") if declared else "")).strip("\"' ").lower()
    if not ENCODINGS.fullmatch(name):
        return "utf-8"
    try:
        "".encode(name)
    except LookupError:
        return "utf-8"
    return name


class _HeadParser(HTMLParser):
    """Collects the title and the first value of each `<meta>`, which a page may have anywhere.

    Of several pictures the first one counts. What follows another `og:image` describes that one.
    """

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.values: dict[str, str] = {}
        self.title: list[str] = []
        self._is_in_title = False
        self._has_title = False
        self._is_at_first_picture = True

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "title" and not self._has_title:
            self._is_in_title = self._has_title = True
        elif tag == "meta" and len(self.values) < MAX_VALUES:
            found = dict(attrs)
            name = (found.get("property") or found.get("name") or "").lower()
            if name == "og:image" and name in self.values:
                self._is_at_first_picture = False
            if name.startswith("og:image:") and not self._is_at_first_picture:
                return
            if name and found.get("content"):
                self.values.setdefault(name, found["content"] or "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "title":
            self._is_in_title = False

    def handle_data(self, data: str) -> None:
        if self._is_in_title:
            self.title.append(data)
