"""Keywords of a question: the words that describe its subject."""

import re
from collections.abc import Sequence

# Stop words: words of a question that do not describe its subject.
_STOP_WORDS = frozenset(
    """
    a about all am an and any anybody anyone anything are as ask asked at be been but by can could did do does done
    during everybody find for from get gets give got had happen happened happens has have hello help here hey hi him
    his how i if in into is it its know last latest let look me mention mentioned message messages my of on or our
    out please said saw say says search searched see she show since so some somebody someone something speak spoke
    talk talked talking tell tells than thank thanks that the their them then there these they thing things think
    this those to told up us was we were what when where which who whom whose why will with wrote write writes
    written would you your
    """.split()  # noqa: SIM905 - easier to read than a list
)

_WORD = re.compile(r"""["“„]([^"“”„]{1,200})["“”]|([^\W_](?:[\w.'’-]*[^\W_])?)""")

_QUOTED = re.compile(r"""(["“„][^"“”„]{1,200}["“”])""")

_PERIOD = re.compile(r"(?<![\w:-])(today|yesterday|(?:this|last) (?:week|month|year))\b(?!-)", re.IGNORECASE)

_ROOM = re.compile(r"(?<!\S)in #(\w[\w-]*)", re.IGNORECASE)

# Not “with the link”, which is a part of what somebody asks about.
_CONTENT = re.compile(
    r"(?<!\S)with (?:(?:an?|any|some) )?"
    r"(?:(files?|attachments?|pictures?|images?|photos?|screenshots?)|links?|urls?)(?![\w:-])",
    re.IGNORECASE,
)


def find_keywords(question: str) -> Sequence[str]:
    """Return the different words and quoted phrases of a question, in their order, without stop words."""
    found = (phrase.strip() or word for phrase, word in _WORD.findall(question))
    return [word for word in dict.fromkeys(found) if _is_keyword(word)]


def add_filters(question: str) -> str:
    """Replace times, rooms and contents by filters, except in quotes: “last week”, “in #design”, “with a file”."""
    parts = _QUOTED.split(question)
    parts[::2] = map(_add_filters, parts[::2])
    return "".join(parts)


def stem(word: str) -> str:
    """Return the singular of a regular plural: “invoices” should find “invoice”."""
    return word[:-1] if len(word) > 4 and word.isascii() and re.search("[^s]s$", word, re.IGNORECASE) else word


def _add_filters(text: str) -> str:
    with_periods = _PERIOD.sub(lambda match: f"during:{match[1].lower().replace(' ', '-')}", text)
    with_contents = _CONTENT.sub(lambda match: "has:file" if match[1] else "has:link", with_periods)
    return _ROOM.sub(r"in:\1", with_contents)


def _is_keyword(word: str) -> bool:
    # A single Latin letter occurs in nearly every message; a single Chinese character is a word.
    return word.lower() not in _STOP_WORDS and (len(word) > 1 or not word.isascii())
