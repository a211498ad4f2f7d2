"""The tokens of a text, which the search index consists of, for both databases.

A token is a word without case and accents. Runs of languages that put no spaces between words (Chinese, Japanese,
Korean, Thai …) become overlapping pairs of characters and their last character. An emoji is a token, and so is another
symbol that is not ASCII.

Two words in a row have a token of the pair besides, which makes phrases of common words fast: see `pair_tokens`.

A word that consists of parts, such as `snake_case`, `camelCase`, `utf8`, `e-mail`, `don't` or `1,234,567`, is found by
its parts in a row and as a whole. `C++` and `C#` are found as wholes only, so that they do not find the letter.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from unicodedata import category, combining, normalize, unidata_version
from zlib import crc32

from chatapp.concurrency.cooperation import checkpoint

_VERSION = 3
"""Increment it with each change after which texts have other tokens: stored messages are then indexed again."""

TOKENIZER_VERSION = int("{:d}{:03d}{:02d}{:02d}".format(_VERSION, *map(int, unidata_version.split("."))))
"""The version of the tokens and of Python's Unicode data, which they depend on: a newer one is greater."""

MAX_TOKEN_CHARS = 80
"""Longer words are found by their beginning."""

SLICE_CHARS = 500
"""Characters between two checkpoints of `locate`, some 0.5 milliseconds."""

MAX_TOKENS = 12_000
"""Maximum number of tokens of a text. PostgreSQL has positions up to 16,383."""

FIRST_PAIR = 0x108000
PAIRS = 0x4000
"""The private-use characters that are the tokens of pairs: 16,384 from the first one on.

Many pairs have the same one. Texts have no tokens of these characters.
"""

_IGNORED = (
    "\u00ad\u034f\u061c\u0640\u180b-\u180f\u200b-\u200f\u2060-\u2064\u20e0-\u20ff\ufe00-\ufe0f\ufeff"
    "\U0001f3fb-\U0001f3ff"
)
"""Characters that are not part of any token, but do not end one: joiners, variation selectors, skin tones."""

_IS_IGNORED = re.compile(f"[{_IGNORED}]+")

# Marks that people omit when they type. Vowel signs, such as those of Devanagari and Thai, are not among them.
_ACCENT = re.compile(
    "[\u0300-\u036f\u0483-\u0489\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed\u1ab0-\u1aff\u1dc0-\u1dff"
    "\u20d0-\u20df\ufe20-\ufe2f]+"
)

_DIGITS = {
    zero + number: str(number)
    for zero in (0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6, 0x0C66, 0x0CE6, 0x0D66)
    for number in range(10)
}
"""Digits of Arabic and of the languages of India, by code point."""

_LETTERS = str.maketrans(
    {"ł": "l", "ø": "o", "đ": "d", "ħ": "h", "ŧ": "t", "ı": "i", "æ": "ae", "œ": "oe"}
    | {"ى": "ي", "ی": "ي", "ة": "ه", "ٱ": "ا", "ک": "ك"}
    | _DIGITS
)
"""Letters with strokes and ligatures, which Unicode does not decompose, and Arabic letters that people write alike."""

_APOSTROPHES = str.maketrans("’ʼ", "''")

# Languages without spaces between words, or, as Korean, with particles that are part of a word.
_DENSE = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3041-\u30fa\u30fc-\u318f"
    "\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\ua9e0-\ua9fe\uaa60-\uaa7f\uac00-\ud7ff\uf900-\ufaff"
    "\U00016fe0-\U00018fff\U0001b000-\U0001b16f\U00020000-\U0003ffff]"
)

_FIRST_DENSE = "\u0e00"

_NUMBER = re.compile(r"(?<![\w.,])\d{1,3}([.,' ])\d{3}(?:\1\d{3}){0,20}(?!\w)")
"""A number with separators between groups of three digits. The spaces are what NFKC leaves of all kinds of them."""

_COMPOUND = re.compile(
    r"(?<![\w'])[^\W\d_]+(?:'[^\W\d_]+){1,3}(?![\w'])|(?<![\w-])[^\W\d_]+(?:[-‐][^\W\d_]+){1,2}(?![\w-])"
)
"""Words of letters that are joined by apostrophes or hyphens: people also write them as one word."""

_WITHOUT_JOINTS = str.maketrans("", "", "'-‐")

_DIGIT = re.compile(r"\d")

_WITH_SYMBOL = re.compile(r"(?<![\w+#])([A-Za-z]{1,16})(\+\+(?![+A-Za-z])|#(?![\w#]))")
"""A name such as C++ or C#."""

_SYMBOLS = str.maketrans("+#", "＋＃")
"""Stand for the symbols in tokens: SQLite would split them at an ASCII one. Normalized texts do not have these."""

ASCII_SYMBOLS = str.maketrans("＋＃", "+#")
"""The symbols of a token, as they are in texts."""

_OUTSIDE = re.compile(r"^[^\w+#]+|[^\w+#]+$")
"""What surrounds a word."""

_CASE_PART = re.compile(r"[A-Z](?:(?<=[a-z0-9][A-Z])|(?=[A-Z][a-z]))")
_DIGIT_PART = re.compile(r"[0-9](?:(?<=[A-Za-z][0-9])|(?=[.,' ][0-9]{3}))")
"""Where a text of ASCII characters may have words with parts, or numbers with separators. One set of characters at the
beginning makes the search fast."""

_PLAIN_WORD = re.compile("[a-z0-9]+")

MAX_CACHED_CLASSES = 20_000


class _Classes(dict[int, str]):
    """The class of each character, by code point: see `_classify`. It is computed once for each that occurs."""

    def __missing__(self, code: int) -> str:
        found = _classify(chr(code))
        if len(self) < MAX_CACHED_CLASSES:
            self[code] = found
        return found


def _classify(character: str) -> str:
    """Return the class: upper case, other letter, digit, mark, underscore, dense, emoji, flag part, or a space."""
    kind = category(character)
    if kind == "Nd":
        return "d"
    if kind[0] in "LMN" and _DENSE.match(character):
        return "h"
    if "\U0001f1e6" <= character <= "\U0001f1ff":
        return "r"
    if kind in {"Lt", "Lu"}:
        return "u"
    if kind[0] in "LN":
        return "l"
    if kind[0] == "M":
        return "m"
    if character == "_":
        return "_"
    # Emoji that are newer than Python's Unicode data are not assigned.
    is_new = kind == "Cn" and "\U0001f000" <= character <= "\U0001faff"
    is_symbol = kind == "So" or (kind in {"Sc", "Sm"} and not character.isascii())
    return "e" if is_symbol or is_new else " "


_CLASSES = _Classes()

_RUN = re.compile("[uld][uldm_]*|h+|rr?|e")
"""A word, a run of a dense language, or an emoji."""

_PART = re.compile(
    "u[um]*(?=u[lm]*l)|(?:u[um]*+[lm]*+|[lm]++)(?=d{1,9}(?![uldm]))|(?<=[ulm])d{1,9}(?![uldm])|u[um]*[ldm]*|[ldm]+"
)
"""A part of a word: between underscores, before capital letters, or the number after letters."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token, and where it is in the text that it was read from."""

    text: str
    start: int
    end: int


@dataclass(slots=True)
class Tokens:
    """The tokens of a text. Nothing changes it: it is not frozen, as it would take three times as long to create."""

    row: Sequence[str]
    """The tokens in the order of the text."""
    wholes: Sequence[str]
    """Words that consist of several tokens, each as one token."""


@dataclass(frozen=True, slots=True)
class Word:
    """What finds a word that somebody has typed: its tokens in a row, or the whole as one token."""

    row: tuple[str, ...]
    whole: str | None
    is_prefix: bool
    """Whether the last token is only the beginning of one."""


def tokenize(text: str) -> Tokens:
    """Return the tokens of a text. It takes time in proportion to the length of the text."""
    if text.isascii() and not ("_" in text or _CASE_PART.search(text) or _DIGIT_PART.search(text)):
        return _tokenize_plain(text)
    normalized = _normalize(text)
    row: list[str] = []
    wholes: dict[str, None] = {}
    for parts, whole in _read_runs(normalized):
        row.extend(token for token, _, _ in parts)
        if whole is not None:
            wholes[whole] = None
        if len(row) > MAX_TOKENS:
            break
    wholes |= dict.fromkeys(whole for whole, _, _ in _read_joined(normalized))
    return Tokens(row[:MAX_TOKENS], tuple(wholes)[: MAX_TOKENS // 4])


def _tokenize_plain(text: str) -> Tokens:
    """Return the tokens of a text of ASCII characters without words that have parts: most texts, ten times as fast."""
    row = _PLAIN_WORD.findall(text.lower())
    if len(text) > MAX_TOKEN_CHARS:
        row = [token[:MAX_TOKEN_CHARS] for token in row[:MAX_TOKENS]]
    # It has no numbers with separators.
    return Tokens(row, tuple(dict.fromkeys(whole for whole, _, _ in _read_joined_words(text)))[: MAX_TOKENS // 4])


def tokenize_word(word: str) -> Word:
    """Return what finds a word, or a quoted phrase, that somebody has typed."""
    normalized = _normalize(word)
    runs = list(_read_runs(normalized))
    row = [token for parts, _ in runs for token, _, _ in parts]
    is_prefix = False
    if row and is_dense(row[-1]):
        # In a text, the run may go on.
        is_prefix = len(runs[-1][0]) == 1
        row = row if is_prefix else row[:-1]
    whole = runs[0][1] if len(runs) == 1 else None
    inner = _OUTSIDE.sub("", normalized)
    joined = next(_read_joined(inner), None)
    if joined is not None and joined[1:] == (0, len(inner)):
        whole = joined[0]
        if whole[-1] in "＋＃":
            return Word((whole,), None, False)
    return Word(tuple(row[:MAX_TOKENS]), whole, is_prefix)


def locate(text: str) -> tuple[Sequence[Token], Sequence[Token]]:
    """Return the tokens of a text in their order, and its wholes, each with its place in the text: for excerpts."""
    normalized, starts, ends = _normalize_with_places(text)
    row: list[Token] = []
    wholes: list[Token] = []
    for parts, whole in _read_runs(normalized):
        for index, (token, start, end) in enumerate(parts):
            if index % SLICE_CHARS == 0:
                checkpoint()
            row.append(Token(token, starts[start], ends[end - 1]))
        if whole is not None:
            wholes.append(Token(whole, starts[parts[0][1]], ends[parts[-1][2] - 1]))
    wholes += [Token(whole, starts[start], ends[end - 1]) for whole, start, end in _read_joined(normalized)]
    return row, wholes


def pair_tokens(tokens: Sequence[str]) -> list[str]:
    """Return the tokens of the pairs of words that are next to each other. Different pairs may have the same one.

    Dense languages have none, nor has what is after their first character in Unicode: their tokens are many, and rarer.
    """
    return [
        chr(FIRST_PAIR + crc32(f"{first} {second}".encode()) % PAIRS)
        for first, second in pairwise(tokens)
        if second < _FIRST_DENSE
    ]


def fold_word(word: str) -> str:
    """Return a word without case and accents."""
    if word.isascii():
        return word.lower()
    decomposed = normalize("NFD", word.casefold())
    return normalize("NFC", _ACCENT.sub("", decomposed).translate(_LETTERS))


def is_dense(token: str) -> bool:
    """Return whether a token is of a language without spaces between words."""
    return bool(_DENSE.match(token))


def _normalize(text: str) -> str:
    return text if text.isascii() else _IS_IGNORED.sub("", normalize("NFKC", text)).translate(_APOSTROPHES)


def _normalize_with_places(text: str) -> tuple[str, Sequence[int], Sequence[int]]:
    """Return the normalized text, and where each of its characters begins and ends in `text`."""
    if text.isascii():
        return text, range(len(text)), range(1, len(text) + 1)
    pieces: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    start = 0
    for index in range(1, len(text) + 1):
        if index % SLICE_CHARS == 0:
            checkpoint()
        if index < len(text) and _continues(text[index]):
            continue
        piece = _normalize(text[start:index])
        pieces.append(piece)
        starts += [start] * len(piece)
        ends += [index] * len(piece)
        start = index
    return "".join(pieces), starts, ends


def _continues(character: str) -> bool:
    """Return whether a character can become one with those before it in the normal form."""
    return (
        combining(character) != 0
        or category(character)[0] == "M"
        or "\u1160" <= character <= "\u11ff"
        or character in "\uff9e\uff9f"
        or "\uffa0" <= character <= "\uffdc"
        or "\u3131" <= character <= "\u318e"
        or _IS_IGNORED.match(character) is not None
    )


def _read_runs(text: str) -> Iterator[tuple[list[tuple[str, int, int]], str | None]]:
    """Yield the tokens of each run with their places in the normalized text, and the whole run if it has parts."""
    classes = text.translate(_CLASSES)
    for run in _RUN.finditer(classes):
        start, end = run.span()
        first = classes[start]
        if first == "h":
            pairs = [(text[index : index + 2].casefold(), index, index + 2) for index in range(start, end - 1)]
            yield [*pairs, (text[end - 1].casefold(), end - 1, end)], None
        elif first in "er":
            yield [(text[start:end], start, end)], None
        else:
            parts = [
                (token, part.start(), part.end())
                for part in _PART.finditer(classes, start, end)
                if (token := fold_word(text[part.start() : part.end()])[:MAX_TOKEN_CHARS])
            ]
            if parts:
                yield parts, fold_word(text[start:end].rstrip("_"))[:MAX_TOKEN_CHARS] if len(parts) > 1 else None


def _read_joined(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield what is written with separators or symbols as one token each, with its place in the normalized text."""
    if _DIGIT.search(text):
        for match in _NUMBER.finditer(text):
            yield fold_word("".join(each for each in match[0] if each.isdigit())), match.start(), match.end()
    yield from _read_joined_words(text)


def _read_joined_words(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield the words among what `_read_joined` yields."""
    if "'" in text or "-" in text or "‐" in text:
        for match in _COMPOUND.finditer(text):
            if whole := fold_word(match[0].translate(_WITHOUT_JOINTS))[:MAX_TOKEN_CHARS]:
                yield whole, match.start(), match.end()
    if "+" in text or "#" in text:
        for match in _WITH_SYMBOL.finditer(text):
            yield match[0].lower().translate(_SYMBOLS), match.start(), match.end()
