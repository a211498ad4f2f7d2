"""Nesting of JSON from clients: deep values exhaust the stack of whatever walks through them."""

from collections.abc import Iterable

MAX_JSON_DEPTH = 32
"""Maximum nesting of lists and objects."""


def is_too_deep(value: object, max_depth: int = MAX_JSON_DEPTH) -> bool:
    """Return whether parsed JSON is nested more than `max_depth` levels deep."""
    level: Iterable[object] = [value]
    for _ in range(max_depth + 1):
        level = [
            element
            for container in level
            if isinstance(container, list | dict)
            for element in (container if isinstance(container, list) else container.values())
        ]
        if not level:
            return False
    return True
