"""Excerpts of messages that were found, with the places of what was searched."""

from collections.abc import Sequence
from dataclasses import dataclass

from chatapp.search.query import Phrase, Term
from chatapp.search.tokens import Token, locate

EXCERPT_CHARS = 240
"""Approximate length of an excerpt."""

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
    ranges = find_ranges(content, terms)
    start = _find_start(content, ranges[0][0]) if ranges else 0
    end = _find_end(content, start)
    shown = [(max(first, start) - start, min(last, end) - start) for first, last in ranges if first < end]
    return Excerpt(content[start:end], shown, start > 0, end < len(content))


def find_ranges(content: str, terms: Sequence[Term]) -> list[tuple[int, int]]:
    """Return where the terms are in a text, in its order. Ranges that touch are joined."""
    row, wholes = locate(content)
    found: list[tuple[int, int]] = []
    for phrase in (phrase for term in terms for phrase in term):
        found += _find(row, phrase)
        for whole in wholes:
            found += _find([whole], phrase)
    joined: list[tuple[int, int]] = []
    for start, end in sorted(found):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], end)
        else:
            joined.append((start, end))
    return joined


def _find(tokens: Sequence[Token], phrase: Phrase) -> list[tuple[int, int]]:
    length = len(phrase.tokens)
    *first, last = phrase.tokens
    return [
        (tokens[index].start, _find_last_end(tokens[index + length - 1], last))
        for index in range(len(tokens) - length + 1)
        if _matches(tokens[index + length - 1].text, last, is_prefix=phrase.is_prefix)
        and all(tokens[index + offset].text == each for offset, each in enumerate(first))
    ]


def _matches(token: str, searched: str, *, is_prefix: bool) -> bool:
    return token.startswith(searched) if is_prefix else token == searched


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
