"""Excerpts of messages that were found, with the places of what was searched."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from chatapp.concurrency.cooperation import checkpoint, in_slices
from chatapp.search.query import Phrase, Term
from chatapp.search.tokens import Token, locate

EXCERPT_CHARS = 240
"""Approximate length of an excerpt."""

LOCATED_CHARS = 20_000
"""Matches are marked in the beginning of a text: to locate its tokens takes 2 ms for each 1,000 characters."""

COUNTED_CHARS = 2_000
"""Terms are counted in the beginning of a text."""

SLICE_TOKENS = 100
"""Tokens between two checkpoints."""

CONTEXT_CHARS = 60
"""Approximate length of the text before the first match."""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A part of a text, and the ranges of the matches in it: where each begins and ends."""

    text: str
    ranges: Sequence[tuple[int, int]]
    has_before: bool
    """Whether the text has more before it."""
    has_after: bool


def make_excerpt(content: str, terms: Sequence[Term]) -> Excerpt:
    """Return the part of a text that begins shortly before the first match."""
    return _cut(content, find_ranges(content[:LOCATED_CHARS], terms))


def make_excerpts(contents: Iterable[str], terms: Sequence[Term]) -> list[Excerpt]:
    """Return the excerpts of several texts. It computes in slices, also within a long text."""
    return make_excerpts_of_alternatives(([content] for content in contents), terms)


def make_excerpts_of_alternatives(texts: Iterable[Sequence[str]], terms: Sequence[Term]) -> list[Excerpt]:
    """Return an excerpt of each text, of the first of its alternatives that has a match, or else of the first one."""
    excerpts = []
    with in_slices():
        for alternatives in texts:
            found = (make_excerpt(each, terms) for each in alternatives)
            matching = (excerpt for excerpt in found if excerpt.ranges)
            excerpts.append(next(matching, None) or _cut(alternatives[0], []))
            checkpoint()
    return excerpts


def _cut(content: str, ranges: Sequence[tuple[int, int]]) -> Excerpt:
    start = _find_start(content, ranges[0][0]) if ranges else 0
    end = _find_end(content, start)
    shown = [(max(first, start) - start, min(last, end) - start) for first, last in ranges if first < end]
    return Excerpt(content[start:end], shown, start > 0, end < len(content))


def find_ranges(content: str, terms: Sequence[Term]) -> list[tuple[int, int]]:
    """Return where the terms are in a text, in its order. Ranges that touch are joined."""
    row, wholes = locate(content)
    phrases = _Phrases.of(terms)
    found = phrases.find(row)
    for whole in wholes:
        found += phrases.find([whole])
    joined: list[tuple[int, int]] = []
    for start, end in sorted(found):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], end)
        else:
            joined.append((start, end))
    return joined


def count_terms(contents: Iterable[str], terms: Iterable[Term]) -> list[int]:
    """Return how many of the terms the beginning of each text has. It computes in slices."""
    phrases = [_Phrases.of([term]) for term in terms]
    counts = []
    with in_slices():
        for content in contents:
            row, wholes = locate(content[:COUNTED_CHARS])
            tokens = [row, *([whole] for whole in wholes)]
            counts.append(sum(any(each.find(part) for part in tokens) for each in phrases))
            checkpoint()
    return counts


@dataclass(frozen=True, slots=True)
class _Phrases:
    """The phrases of a query. A text is read once for all of them."""

    by_first: Mapping[str, Sequence[Phrase]]
    """Those that begin with a whole token, by that token."""
    prefixes: Sequence[Phrase]
    """Those that consist of the beginning of one token."""

    @classmethod
    def of(cls, terms: Iterable[Term]) -> Self:
        by_first: dict[str, list[Phrase]] = {}
        prefixes: list[Phrase] = []
        for phrase in dict.fromkeys(phrase for term in terms for phrase in term):
            is_prefix = phrase.is_prefix and len(phrase.tokens) == 1
            (prefixes if is_prefix else by_first.setdefault(phrase.tokens[0], [])).append(phrase)
        return cls(by_first, prefixes)

    def find(self, tokens: Sequence[Token]) -> list[tuple[int, int]]:
        """Return where the phrases are in a row of tokens."""
        found: list[tuple[int, int]] = []
        for index, token in enumerate(tokens):
            if index % SLICE_TOKENS == SLICE_TOKENS - 1:
                checkpoint()
            for phrase in (*self.by_first.get(token.text, ()), *self.prefixes):
                last = index + len(phrase.tokens) - 1
                if last < len(tokens) and _is_at(tokens, index, phrase):
                    found.append((token.start, _find_last_end(tokens[last], phrase.tokens[-1])))
        return found


def _is_at(tokens: Sequence[Token], index: int, phrase: Phrase) -> bool:
    *first, searched = phrase.tokens
    last = tokens[index + len(first)].text
    has_last = last.startswith(searched) if phrase.is_prefix else last == searched
    return has_last and all(tokens[index + offset].text == each for offset, each in enumerate(first))


def _find_last_end(token: Token, searched: str) -> int:
    """Return the end of a match: of a pair of characters, only the searched one."""
    is_part = len(searched) < len(token.text) and token.end - token.start == len(token.text)
    return token.start + len(searched) if is_part else token.end


def _find_start(content: str, match: int) -> int:
    if match <= CONTEXT_CHARS:
        return 0
    earliest = match - CONTEXT_CHARS
    space = content.find(" ", earliest, match)
    return space + 1 if space != -1 else earliest


def _find_end(content: str, start: int) -> int:
    latest = start + EXCERPT_CHARS
    if latest >= len(content):
        return len(content)
    space = content.rfind(" ", start + EXCERPT_CHARS // 2, latest)
    return space if space != -1 else latest
