"""The best of the messages that were found.

The formula is BM25, but what it needs to know is read from the texts of the hits alone. With the numbers of the whole
index, the order would tell how often a word occurs in messages that the person may not read.
"""

import re
from collections.abc import Sequence
from itertools import pairwise
from unicodedata import normalize

from chatapp.concurrency.cooperation import checkpoint
from chatapp.search.query import Phrase, Term
from chatapp.search.tokens import ASCII_SYMBOLS, fold_word, is_dense

MAX_RANKED_CHARS = 2_000
"""The rest of a longer text is not looked at."""

MAX_TOTAL_CHARS = 1_000_000
"""Of many long texts together, not more than this number of characters is looked at: the beginning of each."""

MAX_RANKED_TERMS = 8
"""All texts have the other terms, too."""

SLICE_CHARS = 2_000
"""Characters between two checkpoints, some 0.5 milliseconds."""

MAX_SEPARATORS = 16
"""Number of characters between two tokens of a phrase up to which it is counted."""

_SATURATION = 1.2
"""The smaller it is, the less it matters how often a word occurs."""

_LENGTH_WEIGHT = 0.75
"""How much it matters whether a text is longer than others, from 0 to 1."""


def order_best(texts: Sequence[str], terms: Sequence[Term]) -> list[int]:
    """Return the indexes of texts that have all of the terms, the best one first, equal ones in the given order.

    Words have the same weight: each of the texts has all of them. It computes in slices.
    """
    patterns = [_compile(term) for term in terms[:MAX_RANKED_TERMS]]
    shown = min(MAX_RANKED_CHARS, MAX_TOTAL_CHARS // max(len(texts), 1))
    slice_texts = max(SLICE_CHARS // shown, 1)
    average = sum(map(len, texts)) / len(texts) if texts else 0
    scores = []
    for index, text in enumerate(texts):
        if index % slice_texts == 0:
            checkpoint()
        length = (1 - _LENGTH_WEIGHT + _LENGTH_WEIGHT * len(text) / average) if average else 1
        folded = _fold(text[:shown])
        # A word that is found by its parts, or beyond the limit, counts once.
        counts = (len(pattern.findall(folded)) or 1 for pattern in patterns)
        scores.append(sum(count / (count + _SATURATION * length) for count in counts))
    return sorted(range(len(texts)), key=scores.__getitem__, reverse=True)


def _fold(text: str) -> str:
    return text.lower() if text.isascii() else fold_word(normalize("NFKC", text))


def _compile(term: Term) -> re.Pattern[str]:
    return re.compile("|".join(map(_make_pattern, term)))


def _make_pattern(phrase: Phrase) -> str:
    """Return what finds a phrase in a folded text."""
    first, last = phrase.tokens[0], phrase.tokens[-1]
    parts = [_escape(first)]
    for previous, token in pairwise(phrase.tokens):
        if is_dense(previous) and is_dense(token) and previous[-1] == token[0]:
            parts.append(_escape(token[1:]))
        else:
            # To the next place of the token and, atomic, to no other one: a symbol is also what separates.
            parts.append(rf"(?>[\W_]{{0,{MAX_SEPARATORS}}}?{_escape(token)})")
    begin = r"(?<![^\W_])" if _is_word(first) else ""
    end = r"(?![^\W_])" if _is_word(last) and last[-1] not in "＋＃" and not phrase.is_prefix else ""
    return begin + "".join(parts) + end


def _is_word(token: str) -> bool:
    return token[0].isalnum() and not is_dense(token)


def _escape(token: str) -> str:
    return re.escape(token.translate(ASCII_SYMBOLS))
