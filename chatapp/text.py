"""Single lines of text: names, titles and topics. Control characters in logs and on terminals."""

import re
from unicodedata import category, normalize

from chatapp.errors import Invalid

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Characters that move the cursor, start a line, change the direction of writing or cannot be encoded."""

_BLANK = re.compile(r"[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\uffa0]")
"""Characters that are printable according to Unicode and nevertheless blank."""

_SHORT_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def escape_controls(text: str) -> str:
    r"""Return the text on one line, with control characters as escapes such as `\n` and `\u001b`."""
    return _CONTROL.sub(lambda match: _SHORT_ESCAPES.get(match[0]) or f"\\u{ord(match[0]):04x}", text)


def remove_invisible(text: str) -> str:
    """Return the text without spaces, blank and invisible characters, and accents."""
    return "".join(
        character for character in _BLANK.sub("", text) if category(character) not in {"Mn", "Me", "Cf", "Zs"}
    )


def fold(text: str) -> str:
    """Return the text without case and accents, as the browser's search compares names."""
    if text.isascii():
        return text.lower()
    return "".join(each for each in normalize("NFKD", text) if category(each)[0] != "M").lower()


def clean_line(value: str, what: str, *, max_chars: int, min_chars: int = 1) -> str:
    """Return a line with white space collapsed. `what` begins the message of the error, such as “A display name”.

    Raises `Invalid` if it is too short, too long or contains unprintable or blank characters.
    """
    line = " ".join(value.split())
    is_visible = not line or any(category(character)[0] not in "MZ" for character in line)
    if not line.isprintable() or _BLANK.search(line) or not is_visible or not min_chars <= len(line) <= max_chars:
        length = f"{min_chars} to {max_chars}" if min_chars else f"at most {max_chars}"
        raise Invalid(f"{what} must have {length} printable characters.")
    return line
