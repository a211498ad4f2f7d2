"""The order in which the workers of pytest-xdist run the tests, so that all of them end at the same time."""

import zlib
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import pytest

FIRST_UNIT_TESTS = 300
"""Number of unit tests that run while the first worker creates templates."""

WEIGHTS = {"faults": 4.0, "browser": 3.0}
"""How long tests of a folder take, compared with those of the others."""


def distribute(items: Sequence[pytest.Item], root: Path, workers: int) -> list[pytest.Item]:
    """Return the tests in another order: slow ones first in the part of each worker, unit tests last.

    Each worker gets a consecutive part of the same number of tests (`--dist worksteal`). A worker that has finished
    takes over half of what another one still has, from the end. Slow tests at the end would keep the others waiting.
    All but the first worker begin with a few unit tests: meanwhile that one creates what slow tests have in common.

    The order of the modules is arbitrary, and always the same: so tests that wait for an outage to end run beside tests
    that use the processor.
    """

    def folder_of(item: pytest.Item) -> str:
        return item.path.relative_to(root).parts[1]

    unit = [item for item in items if folder_of(item) == "unit"]
    slow = [item for item in items if folder_of(item) != "unit"]
    modules = [list(group) for _, group in groupby(slow, key=lambda item: item.path)]
    modules.sort(key=lambda module: zlib.crc32(str(module[0].path.relative_to(root)).encode()))
    parts = [list[pytest.Item]() for _ in range(workers)]
    loads = [0.0] * workers
    for module in modules:
        lightest = loads.index(min(loads))
        parts[lightest] += module
        loads[lightest] += len(module) * WEIGHTS.get(folder_of(module[0]), 1.0)
    ordered = list[pytest.Item]()
    for index, part in enumerate(parts):
        size = (len(items) - len(ordered)) // (workers - index)
        fill = max(size - len(part), 0) if index < workers - 1 else len(unit)
        first = min(FIRST_UNIT_TESTS, fill) if index else 0
        ordered += [*unit[:first], *part, *unit[first:fill]]
        unit = unit[fill:]
    return ordered
