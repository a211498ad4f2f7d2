"""JSON codec of Socket.IO packets, with orjson: the standard library's decoder took a third of the time of an event.

It has the interface of the `json` module, which python-socketio expects. Input that orjson refuses, such as a lone
surrogate, is passed to that module, so that the handler can reject it with a reason.
"""

import json
from typing import Any

import orjson

from chatapp.limits.json_depth import check_json_depth


def encode(value: object) -> bytes:
    """Serialize `value` to JSON without spaces, as UTF-8."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value, separators=(",", ":")).encode()


def dumps(value: object, **_options: object) -> str:
    """Serialize `value` to JSON without spaces."""
    return encode(value).decode()


def loads(text: str, **_options: object) -> Any:
    """Parse JSON. Raises `ValueError` when it is malformed or nested too deeply."""
    check_json_depth(text)
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return json.loads(text)
