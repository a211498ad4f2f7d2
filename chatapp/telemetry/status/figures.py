"""The figures that are kept over time, and how those of several intervals or processes become one."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Value = float | list[int]
"""A number, or the counts of a `Distribution` of seconds."""

Figures = dict[str, Value]
"""Values by the names in `FIGURES`. One that a process does not know is missing."""


@dataclass(frozen=True, slots=True)
class Rule:
    """How two values of a figure become one."""

    over_time: Callable[[Any, Any], Value]
    """For two intervals of one process."""
    over_processes: Callable[[Any, Any], Value]
    """For two processes in one interval."""


def subtract(value: Any, before: Any) -> Any:
    """Return by how much a figure that only grows has grown."""
    if isinstance(value, list):
        return [after - count for after, count in zip(value, before, strict=True)]
    return value - before


def _add(first: Any, second: Any) -> Any:
    if isinstance(first, list):
        return [a + b for a, b in zip(first, second, strict=True)]
    return first + second


_COUNT = Rule(_add, _add)
_SHARE = Rule(max, _add)
"""The part of one process: the highest in time, and the sum of all processes."""
_HIGHEST = Rule(max, max)
"""What all processes know of the whole installation."""
_LOWEST = Rule(min, min)

FIGURES = {
    "messages": _COUNT,
    "ack_seconds": _COUNT,
    "slow_queries": _COUNT,
    "cpu_seconds": _COUNT,
    "people": _HIGHEST,
    "sockets": _SHARE,
    "spooled": _SHARE,
    "memory_bytes": _SHARE,
    "database_bytes": _HIGHEST,
    "disk_free": _LOWEST,
}
"""What each process records. `disk_free` is a part of 1."""


def merge_times(figures: Iterable[Mapping[str, Value]]) -> Figures:
    """Return the figures of several intervals of one process, or of the whole installation, as those of one."""
    return _merge(figures, lambda name: FIGURES[name].over_time)


def merge_processes(figures: Iterable[Mapping[str, Value]]) -> Figures:
    """Return the figures of several processes in one interval as those of the installation."""
    return _merge(figures, lambda name: FIGURES[name].over_processes)


def _merge(figures: Iterable[Mapping[str, Value]], choose: Callable[[str], Callable[[Any, Any], Value]]) -> Figures:
    merged: Figures = {}
    for each in figures:
        for name, value in each.items():
            # Another version of chatapp may have recorded what this one does not know.
            if name in FIGURES:
                merged[name] = choose(name)(merged[name], value) if name in merged else value
    return merged
