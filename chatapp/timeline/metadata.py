"""Validation of metadata: a JSON object that programs store with a message or an assistant session."""

import math
from collections.abc import Iterator
from typing import Any, Final

import orjson

from chatapp.errors import BadCharacters, Invalid, TooLong
from chatapp.limits.json_depth import is_too_deep
from chatapp.limits.metadata import MAX_METADATA_BYTES, MAX_METADATA_DEPTH

Metadata = dict[str, Any]

UNCHANGED: Final = object()
"""Argument for what an update leaves as it is: None removes metadata."""


def check_metadata(value: object) -> Metadata | None:
    """Return `value`, a JSON object or None.

    Raises `Invalid` (not an object, nested too deep, a number that is not finite or has more than 64 bits, a lone
    surrogate), `TooLong` or `BadCharacters` (NUL, which PostgreSQL cannot store).
    """
    if value is None:
        return None
    if not isinstance(value, dict):
        raise Invalid("metadata must be a JSON object.")
    try:
        size = len(orjson.dumps(value))
    except orjson.JSONEncodeError:
        raise Invalid(
            "metadata has a value that cannot be stored: half of a surrogate pair, or an integer of more than 64 bits."
        ) from None
    # The other checks take longer: they are done for values of a limited size only.
    if size > MAX_METADATA_BYTES:
        raise TooLong(f"metadata has at most {MAX_METADATA_BYTES:,} bytes as JSON; this one has {size:,}.")
    if is_too_deep(value, MAX_METADATA_DEPTH):
        raise Invalid(f"metadata is nested at most {MAX_METADATA_DEPTH} levels deep.")
    for scalar in _iterate_scalars(value):
        if isinstance(scalar, float) and not math.isfinite(scalar):
            raise Invalid("metadata has a number that is not finite.")
        if isinstance(scalar, str) and "\0" in scalar:
            raise BadCharacters("metadata has a character that cannot be stored (NUL).")
    return value


def _iterate_scalars(value: object) -> Iterator[object]:
    """Yield the names and values, at any depth."""
    if isinstance(value, dict):
        for name, element in value.items():
            yield name
            yield from _iterate_scalars(element)
    elif isinstance(value, list):
        for element in value:
            yield from _iterate_scalars(element)
    else:
        yield value
