"""Texts that are expensive to render."""

import random
from collections.abc import Sequence
from itertools import islice, product

from bench.rendering import CHARS, CODE_PREFIXES, CODE_UNITS, PLAIN_UNITS
from chatapp.markdown.highlighting import LEXERS, MAX_HIGHLIGHTED_CHARS
from tests.harness.rendering import HOSTILE_UNITS, repeat

PAGE_SIZE = 200
"""Messages of a public page, and of a catch-up."""

PAGES = 3
"""Together they have more texts than the server caches."""


def plain() -> list[str]:
    """Return messages of people."""
    return [repeat(unit, CHARS) for unit in PLAIN_UNITS]


def markdown() -> list[str]:
    """Return Markdown for which the parser works hard."""
    return [repeat(unit, CHARS) for unit in HOSTILE_UNITS]


def code() -> list[str]:
    """Return blocks of code in the allowed languages, and one of 9,900 newlines in a language that is not allowed."""
    cases = list(product(LEXERS, CODE_PREFIXES, CODE_UNITS))
    random.Random(1).shuffle(cases)
    blocks = (
        f"```{lexer}\n{prefix}{repeat(unit, MAX_HIGHLIGHTED_CHARS - len(prefix) - 1)}\n```\n"
        for lexer, prefix, unit in islice(cases, PAGE_SIZE)
    )
    return ["```c\n" + "\n" * 9_900 + "```", *(block * (CHARS // len(block)) for block in blocks)]


def pages(kinds: Sequence[str]) -> list[list[str]]:
    """Return `PAGES` pages of different texts."""
    numbered = (f"{number}\n\n{kinds[number % len(kinds)]}" for number in range(PAGES * PAGE_SIZE))
    return [list(islice(numbered, PAGE_SIZE)) for _ in range(PAGES)]
