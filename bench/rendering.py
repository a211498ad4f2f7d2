"""Rendering of hostile text: 10,000 characters of each kind, against the limit of 50 ms.

The figures are processor time of the server's process, in which nothing else runs meanwhile.
"""

import random
import statistics
import string
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter

from bench.report import Figure
from chatapp.markdown.highlighting import LEXERS, MAX_HIGHLIGHTED_CHARS
from chatapp.markdown.rendering import GrowingMarkdown, render
from chatapp.presentation.messages import render_text
from tests.harness.rendering import HOSTILE_UNITS, repeat

ROUNDS = 3
CHARS = 10_000
LIMIT_MS = 50.0

CODE_PREFIXES = ("", "{", "<script>", "<style>", '"', "/*", "${", "def ", "SELECT ")
CODE_UNITS = (
    "\n",
    " ",
    "a",
    "0",
    "_",
    ".",
    "@",
    "\\",
    "<",
    "'",
    "`",
    "(",
    "a ",
    "a(",
    "a=",
    "&a",
    "a{",
    "''",
    "--",
    "a<b,",
    "- a\n",
)
PLAIN_UNITS = (
    ".",
    ")",
    ">",
    ",",
    "." * 49 + "a",
    "http://a.b ",
    "www.aa ",
    "a@b.c ",
    "aa.com ",
    "@a",
    "@a ",
    "(a)",
    "&",
    ".)a",
)


@dataclass(frozen=True)
class Case:
    """A text, and the function that renders it."""

    name: str
    render: Callable[[str], object]
    text: str


def run() -> Sequence[Figure]:
    """Measure every kind of text, and report the slowest of each group."""
    groups: dict[str, Iterator[Case]] = {
        "Markdown": _markdown(),
        "growing Markdown": _growing(),
        "random text": _random(),
        "links and mentions in plain text": _plain(),
    }
    groups |= {f"code, {lexer}": _code(lexer) for lexer in LEXERS}
    return [_slowest(name, cases) for name, cases in groups.items()]


def _slowest(group: str, cases: Iterator[Case]) -> Figure:
    measured = sorted(((_measure(case), case) for case in cases), key=itemgetter(0), reverse=True)[:3]
    values = {case.name: [_measure(case) for _ in range(ROUNDS)] for _, case in measured}
    slowest = max(values, key=lambda name: statistics.median(values[name]))
    return Figure.of(f"{group}: {slowest!r}", "ms", ("slowest", values[slowest]), ("limit", [LIMIT_MS]))


def _measure(case: Case) -> float:
    render_text.cache_clear()
    start = time.thread_time()
    case.render(case.text)
    return (time.thread_time() - start) * 1_000


def _markdown() -> Iterator[Case]:
    for unit in HOSTILE_UNITS:
        text = repeat(unit, CHARS)
        yield Case(unit, render, text)


def _growing() -> Iterator[Case]:
    for unit in HOSTILE_UNITS:
        text = repeat(unit, CHARS)
        yield Case(unit, lambda text: GrowingMarkdown().grow(text), text)


def _random() -> Iterator[Case]:
    rng = random.Random(1)
    for alphabet in ("*_`~[]()!<>#-+=|\\\n ", string.printable, "".join(map(chr, range(0x20, 0x3000)))):
        text = "".join(rng.choices(alphabet, k=CHARS))
        yield Case(alphabet[:20], render, text)


def _plain() -> Iterator[Case]:
    for unit in PLAIN_UNITS:
        for end in ("", "a", ".", "a."):
            text = repeat(unit, CHARS - len(end)) + end
            yield Case(unit + end, lambda text: render_text(text, frozenset("a")), text)


def _code(lexer: str) -> Iterator[Case]:
    render(f"```{lexer}\na\n```")  # The first use of a lexer prepares its regular expressions.
    for prefix in CODE_PREFIXES:
        for unit in CODE_UNITS:
            code = prefix + repeat(unit, MAX_HIGHLIGHTED_CHARS - len(prefix) - 1)
            block = f"```{lexer}\n{code}\n```\n"
            text = block * (CHARS // len(block))
            yield Case(prefix + unit, render, text)
