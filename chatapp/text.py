"""Single lines of text: names, titles and topics."""

from chatapp.errors import Invalid


def clean_line(value: str, what: str, *, max_chars: int, min_chars: int = 1) -> str:
    """Return a line with white space collapsed. `what` begins the message of the error, such as “A display name”.

    Raises `Invalid` if it is too short, too long or contains unprintable characters.
    """
    line = " ".join(value.split())
    if not line.isprintable() or not min_chars <= len(line) <= max_chars:
        length = f"{min_chars} to {max_chars}" if min_chars else f"at most {max_chars}"
        raise Invalid(f"{what} must have {length} printable characters.")
    return line
