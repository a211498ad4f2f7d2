"""The size of lists that are sent to a socket."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

MAX_LISTED_CHARS = 100_000
"""Number of characters after which a list ends.

With messages as HTML it stays below what may be queued for a client: a slow one must have room for new events.
"""


class HasSize(Protocol):
    """A message, or an earlier version of one."""

    @property
    def chars(self) -> int:
        """Return its size in characters, approximately."""


T = TypeVar("T", bound=HasSize)


def limit_size(items: Sequence[T], *, keeps_last: bool = False) -> Sequence[T]:
    """Return the first items, up to the one that reaches `MAX_LISTED_CHARS`; with `keeps_last` the last ones."""
    chars = 0
    for count, item in enumerate(reversed(items) if keeps_last else items, 1):
        chars += item.chars
        if chars >= MAX_LISTED_CHARS:
            return items[-count:] if keeps_last else items[:count]
    return items
