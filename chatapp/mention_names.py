"""Which names a text mentions: where it contains `@name`, but not in code and not in a link.

This determines which people a message notifies, so it is linear and independent of time. The renderer of Markdown
(`chatapp/markdown/`) highlights the same names where it has found neither code nor a link.
"""

import re
from collections import deque
from collections.abc import Iterator
from functools import lru_cache

MENTION_ALL = "all"

CACHED_TEXTS = 100
"""Size of the cache: a message is searched when it is stored, presented and broadcast."""

# Not inside a word or a URL: “ana@example.com” and “https://example.com/@ana” mention nobody, “_@ana_” does.
MENTION_PATTERN = re.compile(
    r"(?<![a-z0-9@./\\-])@([a-z0-9](?:[a-z0-9._-]{0,30}[a-z0-9])?)(?!_{0,9}[a-z0-9@])", re.ASCII | re.IGNORECASE
)

# The URL comes first: what it contains is no mention.
_URL_OR_MENTION = re.compile(rf"(?:https?://|www\.)(?u:\S*)|{MENTION_PATTERN.pattern}", re.ASCII | re.IGNORECASE)

_LINK = re.compile(r"\[[^\[\]]*\]\([^\s()]*\)")

# A block of code in a quote or a list begins after their marks.
_CONTAINER = re.compile(r"(?:[ \t]*(?:>|[-+*](?=[ \t])|\d{1,9}[.)](?=[ \t])))*[ \t]*")
_FENCE = re.compile(r"(?:`{3,}(?=[^`]*$)|~{3,})")
_BACKTICKS = re.compile(r"\\[\\`]|`+")

_BLANK_LINE = re.compile(r"\n[ \t]*(?=\n)")

# Where a paragraph, a heading or the cell of a table may end. Code that goes on there is not recognised: rather mention
# somebody too many.
_POSSIBLE_END = re.compile(r"([\n|])")


def find_names(text: str) -> frozenset[str]:
    """Return the mentioned names in lower case, whether users have them or not."""
    return _search_names(text) if "@" in text else frozenset()  # Most messages mention nobody.


@lru_cache(CACHED_TEXTS)
def _search_names(text: str) -> frozenset[str]:
    # Each distinct word once, as a text may repeat one thousands of times. No URL or mention goes on after a space.
    words = {word for word in remove_code(text).split() if "@" in word}
    return frozenset(name.lower() for name in _URL_OR_MENTION.findall(" ".join(words)) if name)


def find_mentions(text: str) -> Iterator[re.Match[str]]:
    """Yield the mentions in a text without code, outside of URLs. The first group of each is the name."""
    return (match for match in _URL_OR_MENTION.finditer(text) if match[1] is not None)


def remove_code(text: str) -> str:
    """Return a text of Markdown without its code and without its links that have a text of their own."""
    uncertain = ""
    if "~~~" in text or "```" in text:
        text, uncertain = _remove_blocks(text)
    if "`" in text:
        text = "\n".join(map(_remove_spans, _BLANK_LINE.split(text)))
    text += uncertain
    return _LINK.sub("[]", text) if "](" in text else text


def _remove_blocks(text: str) -> tuple[str, str]:
    """Return the text without fenced blocks of code, and the rest of which it is uncertain what is code.

    A block that is not closed lasts until its quote or the text ends. The rest begins at a fence with a bar, which may
    be a cell of a table.
    """
    kept: list[str] = []
    fence, quotes, indentation = "", 0, 0
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for index, line in enumerate(lines):
        if fence:
            content = _strip_quotes(line, quotes)
            if content is not None and (not content.strip() or _count_spaces(content) >= indentation):
                content = content.strip(" \t")
                if content.startswith(fence) and not content.strip(fence[0]):
                    fence = ""
                continue
            fence = ""  # The quote or the list ends, and so does the block.
        begin = container.end() if (container := _CONTAINER.match(line)) else 0
        if opening := _FENCE.match(line, begin):
            if "|" in line:
                return "\n".join(kept), "\n".join(["", *lines[index:]])
            fence, quotes = opening[0], line.count(">", 0, begin)
            marks = line[line.rfind(">", 0, begin) + 1 : begin]
            indentation = len(marks) if marks.strip() else 0
            kept.append("")  # The lines around the block remain apart.
        else:
            kept.append(line)
    return "\n".join(kept), ""


def _strip_quotes(line: str, quotes: int) -> str | None:
    """Return the line without the marks of so many quotes; None if it has fewer."""
    for _ in range(quotes):
        start = line.lstrip(" \t")
        if not start.startswith(">"):
            return None
        line = start[1:]
    return line


def _count_spaces(line: str) -> int:
    return len(line) - len(line.lstrip(" \t"))


def _remove_spans(paragraph: str) -> str:
    """Return a paragraph without code between as many backticks as at its beginning."""
    parts = _POSSIBLE_END.split(paragraph)
    for index, part in enumerate(parts):
        parts[index], is_closed = _remove_closed_spans(part)
        if not is_closed:  # The next backticks may end this code, or begin another.
            break
    return "".join(parts)


def _remove_closed_spans(text: str) -> tuple[str, bool]:
    """Return a part of a paragraph without its code, and whether all code that begins there ends there."""
    runs = [(match.start(), match.end()) for match in _BACKTICKS.finditer(text) if match[0][0] == "`"]
    ends: dict[int, deque[tuple[int, int]]] = {}
    # In code a backslash has no meaning: it escapes no end.
    for match in re.finditer("`+", text):
        ends.setdefault(match.end() - match.start(), deque()).append(match.span())
    parts: list[str] = []
    position = 0
    is_closed = True
    for start, end in runs:
        if start < position:
            continue
        closing = ends.get(end - start, deque())
        while closing and closing[0][0] < end:
            closing.popleft()
        if closing:
            parts += text[position:start], " "
            position = closing[0][1]
        else:
            is_closed = False
    return "".join([*parts, text[position:]]), is_closed
