"""JSON codec of Socket.IO packets, with orjson: the standard library's decoder took a third of the time of an event.

It has the interface of the `json` module, which python-socketio expects. Input that orjson refuses, such as a lone
surrogate, is passed to that module, so that the handler can reject it with a reason.
"""

import json
from typing import Any

import orjson


def dumps(value: object, **_options: object) -> str:
    """Serialize `value` to JSON without spaces."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        return json.dumps(value, separators=(",", ":"))


def loads(text: str | bytes, **_options: object) -> Any:
    """Parse JSON. Raises `ValueError` when it is malformed."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return json.loads(text)
