"""JSON of the socket's packets, by orjson: a third of what an event costs was the standard library's decoding.

The shape is that of the `json` module: it is what python-socketio asks for. What orjson does not know, such as half of
a surrogate pair, is left to that module: what is wrong with it is then said by an answer.
"""

import json
from typing import Any

import orjson


def dumps(value: object, **_options: object) -> str:
    """Give `value` as JSON without spaces."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        return json.dumps(value, separators=(",", ":"))


def loads(text: str | bytes, **_options: object) -> Any:
    """Read JSON. Raises `ValueError` for what is none."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return json.loads(text)
