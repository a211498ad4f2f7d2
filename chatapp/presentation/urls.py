"""Parts of URLs and forms: ids in routes, ids and sequence numbers in queries."""

from chatapp.errors import Invalid
from chatapp.models.base import LAST_ID

# No row has a greater id, and PostgreSQL raises an error for one.
ID = f"int(max={LAST_ID})"
"""The converter for a row's id in a route."""


def parse_id(value: str, name: str) -> int:
    """Parse a row's id in a form. Raises `Invalid`."""
    if not (value.isascii() and value.isdecimal() and len(value) <= len(str(LAST_ID)) and int(value) <= LAST_ID):
        raise Invalid(f"{name} must be an id.")
    return int(value)


def parse_seq(value: str | None) -> int | None:
    """Parse a message's sequence number from a URL. Raises `Invalid`."""
    if value is None:
        return None
    if not (value.isascii() and value.isdecimal() and len(value) <= 18):
        raise Invalid("before must be the number of a message.")
    return int(value)
