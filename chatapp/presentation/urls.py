"""Parts of URLs and forms: ids in routes, ids and sequence numbers in queries."""

from collections.abc import Mapping
from dataclasses import dataclass

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


def parse_seq(value: str | None, name: str = "before") -> int | None:
    """Parse a message's sequence number from a URL. Raises `Invalid`."""
    if value is None:
        return None
    if not (value.isascii() and value.isdecimal() and len(value) <= 18):
        raise Invalid(f"{name} must be the number of a message.")
    return int(value)


@dataclass(frozen=True, slots=True)
class Place:
    """The messages that a URL names: those before or after a number, or around it. Without any, the latest."""

    before: int | None = None
    after: int | None = None
    around: int | None = None


LATEST = Place()


def parse_place(arguments: Mapping[str, str]) -> Place:
    """Parse the place in a conversation from the query of a URL. Raises `Invalid`."""
    return Place(*(parse_seq(arguments.get(name), name) for name in ("before", "after", "around")))
