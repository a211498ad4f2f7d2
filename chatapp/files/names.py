"""Names of files, as pages and downloads show them."""

from pathlib import PurePosixPath
from unicodedata import category, normalize

MAX_CHARS = 255

MAX_SUFFIX_CHARS = 20

UNNAMED = "file"


def clean_name(name: str) -> str:
    """Return the last part of a path as one line of visible text, of at most `MAX_CHARS` characters.

    Control characters and marks for the direction of writing are removed: “photo\u202egpj.exe” would be shown as
    “photoexe.jpg”. The suffix stays when the name is shortened.
    """
    last = normalize("NFC", name).replace("\\", "/").rstrip("/").rpartition("/")[2]
    visible = "".join(" " if each.isspace() else each for each in last if each.isspace() or category(each)[0] != "C")
    line = " ".join(visible.split()).lstrip(".").strip()
    stem, suffix = _split(line)
    return stem[: MAX_CHARS - len(suffix)] + suffix if stem else UNNAMED + suffix


def with_suffix(name: str, suffixes: tuple[str, ...]) -> str:
    """Return a clean name with the first of the suffixes, unless it has one of them."""
    stem, suffix = _split(name)
    return name if suffix.lower() in suffixes else clean_name(stem + suffixes[0])


def _split(name: str) -> tuple[str, str]:
    suffix = PurePosixPath(name).suffix
    return (name, "") if len(suffix) > MAX_SUFFIX_CHARS else (name.removesuffix(suffix), suffix)
