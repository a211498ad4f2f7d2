from typing import Any

import orjson
import pytest

from chatapp.errors import BadCharacters, ChatError, Invalid, TooLong
from chatapp.limits.metadata import MAX_METADATA_BYTES, MAX_METADATA_DEPTH
from chatapp.models.base import JsonObject
from chatapp.timeline.metadata import check_metadata


def nest(levels: int) -> dict[str, Any]:
    value: Any = 1
    for _ in range(levels):
        value = {"a": value}
    assert isinstance(value, dict)
    return value


def of_size(size: int) -> dict[str, str]:
    value = {"a": "é" * ((size - 8) // 2)}
    assert len(orjson.dumps(value)) == size
    return value


@pytest.mark.parametrize(
    "value",
    [
        None,
        {},
        {"a": [1, -0.5, True, None, "é\n🎉", {"b": []}]},
        {"a": 2**63 - 1, "b": -(2**63), "c": 1e308},
        {"": "\\u0000"},
        nest(MAX_METADATA_DEPTH),
        of_size(MAX_METADATA_BYTES),
    ],
)
def test_a_json_object_is_accepted_as_it_is(value: object) -> None:
    assert check_metadata(value) is value


@pytest.mark.parametrize(
    ("value", "error", "reason"),
    [
        ([], Invalid, "must be a JSON object"),
        ("{}", Invalid, "must be a JSON object"),
        (False, Invalid, "must be a JSON object"),
        (nest(MAX_METADATA_DEPTH + 1), Invalid, "nested at most 16 levels"),
        (nest(5_000), Invalid, ""),
        (of_size(MAX_METADATA_BYTES + 2), TooLong, "at most 16,384 bytes as JSON; this one has 16,386"),
        ({"a": [float("nan")]}, Invalid, "not finite"),
        ({"a": float("-inf")}, Invalid, "not finite"),
        ({"a": 2**64}, Invalid, "more than 64 bits"),
        ({"a": "x\0"}, BadCharacters, "NUL"),
        ({"x\0": 1}, BadCharacters, "NUL"),
        ({"a": "\ud800"}, Invalid, "surrogate"),
        ({"\ud800": 1}, Invalid, "surrogate"),
    ],
)
def test_anything_else_is_refused_with_the_reason(value: object, error: type[ChatError], reason: str) -> None:
    with pytest.raises(error) as refused:
        check_metadata(value)
    assert reason in refused.value.message


def test_a_change_of_type_is_a_change() -> None:
    assert JsonObject().compare_values({"a": 1}, {"a": 1})
    assert not JsonObject().compare_values({"a": 1}, {"a": True})
    assert not JsonObject().compare_values({}, None)
