"""Nesting of JSON from clients: deep values exhaust the stack of whatever walks through them."""

import re
from collections.abc import Iterable

import orjson

MAX_JSON_DEPTH = 32
"""Maximum nesting of lists and objects."""


# One step for each escape, not for each character, which takes much longer.
_STRINGS = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)


def check_json_depth(text: str) -> None:
    """Raise `ValueError` if JSON is nested more than `MAX_JSON_DEPTH` levels deep. It may be malformed otherwise.

    orjson parses it, which has a limit of its own. The `json` module recurses up to the limit of the stack, where the
    finalizers of objects that are collected meanwhile fail. JSON that orjson refuses, such as a lone surrogate, is
    also refused here if it has so many lists and objects that it could be nested too deeply.
    """
    # Brackets in strings count too, so this is only a cheap upper bound.
    if _count_brackets(text) <= MAX_JSON_DEPTH:
        return
    try:
        too_deep = is_too_deep(orjson.loads(text))
    except orjson.JSONDecodeError:
        too_deep = _count_brackets(remove_strings(text)) > MAX_JSON_DEPTH
    if too_deep:
        raise ValueError(f"nested more than {MAX_JSON_DEPTH} levels deep")


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


def remove_strings(text: str) -> str:
    """Return JSON, which may be malformed, without its strings."""
    return _STRINGS.sub("", text)


def _count_brackets(text: str) -> int:
    return text.count("[") + text.count("{")
