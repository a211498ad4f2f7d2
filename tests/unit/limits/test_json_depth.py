"""Nesting of JSON from clients."""

import gc
import sys
from collections.abc import Callable

import pytest
from flask import Flask

from chatapp.limits.json_depth import MAX_JSON_DEPTH, check_json_depth
from chatapp.socket_engine import codec
from chatapp.web.security import BoundedJsonProvider


def nest(depth: int) -> str:
    return "[" * depth + "]" * depth


@pytest.mark.parametrize(
    "text",
    [
        nest(MAX_JSON_DEPTH),
        f"[{','.join(['[[{}]]'] * 100)}]",
        f'["{"[{" * 1_000}"]',
        rf'["\ud800 \"{"[{" * 1_000}"]',
    ],
)
def test_many_brackets_are_no_deep_nesting(text: str) -> None:
    check_json_depth(text)


@pytest.mark.parametrize(
    "text", [nest(MAX_JSON_DEPTH + 2), nest(100_000), "[NaN," + nest(5_000), '{"a":' * 5_000, r'["\ud800",' + "[" * 40]
)
def test_deep_nesting_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="levels deep"):
        check_json_depth(text)


class Garbage:
    """An object that only the garbage collector finds, and whose finalizer needs a part of the stack."""

    def __init__(self) -> None:
        self.itself = self

    def __del__(self) -> None:
        def descend(depth: int) -> None:
            if depth:
                descend(depth - 1)

        descend(sys.getrecursionlimit() // 2)


@pytest.mark.parametrize("loads", [BoundedJsonProvider(Flask(__name__)).loads, codec.loads], ids=["HTTP", "Socket.IO"])
@pytest.mark.parametrize("text", [nest(100_000), "[NaN," + nest(100_000)])
def test_garbage_is_collected_while_deeply_nested_json_is_refused(
    loads: Callable[[str], object], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", failed.append)
    gc.collect()
    Garbage()
    with pytest.raises(ValueError, match="levels deep"):
        loads(text)
    gc.collect()
    assert not failed
