"""Single lines of text: names, titles and topics. Control characters in logs and on terminals."""

import re

from chatapp.errors import Invalid

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Characters that move the cursor, start a line, change the direction of writing or cannot be encoded."""

_SHORT_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def escape_controls(text: str) -> str:
    r"""Return the text on one line, with control characters as escapes such as `\n` and `\u001b`."""
    return _CONTROL.sub(lambda match: _SHORT_ESCAPES.get(match[0]) or f"\\u{ord(match[0]):04x}", text)


def clean_line(value: str, what: str, *, max_chars: int, min_chars: int = 1) -> str:
    """Return a line with white space collapsed. `what` begins the message of the error, such as “A display name”.

    Raises `Invalid` if it is too short, too long or contains unprintable characters.
    """
    line = " ".join(value.split())
    if not line.isprintable() or not min_chars <= len(line) <= max_chars:
        length = f"{min_chars} to {max_chars}" if min_chars else f"at most {max_chars}"
        raise Invalid(f"{what} must have {length} printable characters.")
    return line
