"""Names of files, as pages and downloads show them."""

import re
from pathlib import PurePosixPath
from unicodedata import category, normalize

MAX_CHARS = 255

MAX_SUFFIX_CHARS = 20

UNNAMED = "file"


JOINERS = "\u200c\u200d"
"""Invisible characters that words of some languages and emoji need."""

SUFFIX = re.compile(r"\.[a-z][a-z0-9]{1,4}", re.IGNORECASE)
"""What is replaced when it is wrong. The end of “Screenshot 10.15” is no suffix."""


def clean_name(name: str) -> str:
    r"""Return the last part of a path as one line of visible text, of at most `MAX_CHARS` characters.

    Control characters and marks for the direction of writing are removed: “photo\u202egpj.exe” would be shown as
    “photoexe.jpg”. The suffix stays when the name is shortened.
    """
    last = normalize("NFC", name).replace("\\", "/").rstrip("/").rpartition("/")[2]
    line = " ".join("".join(each for each in last if _is_allowed(each)).split()).lstrip(". ").strip(JOINERS)
    stem, suffix = _split(line)
    return (stem[: MAX_CHARS - len(suffix)] or UNNAMED) + suffix


def with_suffix(name: str, suffixes: tuple[str, ...]) -> str:
    """Return a clean name with the first of the suffixes, unless it has one of them."""
    stem, suffix = _split(name)
    if suffix.lower() in suffixes:
        return name
    return clean_name((stem if SUFFIX.fullmatch(suffix) else name) + suffixes[0])


def _is_allowed(character: str) -> bool:
    return character.isspace() or character in JOINERS or category(character)[0] != "C"


def _split(name: str) -> tuple[str, str]:
    suffix = PurePosixPath(name).suffix
    return (name, "") if len(suffix) > MAX_SUFFIX_CHARS else (name.removesuffix(suffix), suffix)
