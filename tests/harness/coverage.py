"""Measure which lines and branches of chatapp the tests execute: in pytest, in the servers and in the commands.

A plugin for pytest-xdist, active when COVERAGE_FOLDER is set, as `bin/test` does when it runs all tests. Each process
writes what it executed to a file in that folder; a server does so when it receives SIGUSR1. SlipCover slows a server by
about 10 %; the tracer of coverage.py makes it three times slower.
"""

import atexit
import marshal
import os
import runpy
import signal
import sys
import uuid
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest

from tests.harness import ROOT

FOLDER = os.environ.get("COVERAGE_FOLDER", "")


class Measurement:
    """The measurement of this process, which begins when this module is imported."""

    def __init__(self) -> None:
        from slipcover import FileMatcher, ImportManager, Slipcover

        # What could be executed only `combine` needs to know: finding it out takes a fifth of the time of the imports.
        Slipcover.lines_from_code = Slipcover.branches_from_code = staticmethod(lambda _code: ())
        # Code that was executed often would be replaced by uninstrumented code; that gains nothing here.
        self._slipcover = Slipcover(branch=True, d_miss_threshold=2**30, exclude_lines=[])
        ImportManager(self._slipcover, FileMatcher(sources=[ROOT / "chatapp"])).__enter__()
        atexit.register(self.save)

    def save(self) -> None:
        """Write what this process executed so far."""
        # Not `get_coverage()`, which also computes what was not executed: 0.2 s in each of hundreds of servers.
        (ROOT / FOLDER / f"{uuid.uuid4()}.executed").write_bytes(marshal.dumps(dict(self._slipcover.newly_seen)))

    def save_at_exit(self) -> None:
        """Save in a server, which ends with `os._exit` or when it receives SIGUSR1."""
        end = os._exit

        def save_and_end(status: int) -> None:
            self.save()
            end(status)

        os._exit = save_and_end  # type: ignore[assignment]
        signal.signal(signal.SIGUSR1, lambda _number, _frame: save_and_end(0))


# Not in the process that controls the workers of pytest-xdist: it runs no tests, and instrumenting takes 3 s.
measurement = Measurement() if FOLDER and "PYTEST_XDIST_WORKER" in os.environ else None


def combine() -> dict[str, Any]:
    """Return the coverage of all processes, in SlipCover's format."""
    from slipcover import Slipcover
    from slipcover.slipcover import add_summaries

    executed: dict[str, set[int | tuple[int, int]]] = defaultdict(set)  # Numbers of lines, and branches between them.
    for file in (ROOT / FOLDER).glob("*.executed"):
        for path, items in marshal.loads(file.read_bytes()).items():  # noqa: S302  # Our own files.
            executed[path] |= items
    # A measurement without any execution lists everything that could be executed.
    coverage: dict[str, Any] = Slipcover(branch=True, source=[str(ROOT / "chatapp")]).get_coverage()
    for path, data in coverage["files"].items():
        for kind in ("lines", "branches"):
            missing = set(data[f"missing_{kind}"])
            data[f"executed_{kind}"] = sorted(missing & executed[str(ROOT / path)])
            data[f"missing_{kind}"] = sorted(missing - executed[str(ROOT / path)])
    add_summaries(coverage)
    return coverage


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Save in each worker; compare with the floor in the process that controls them."""
    if measurement is not None:
        measurement.save()
    if not FOLDER or hasattr(session.config, "workerinput"):
        return
    from slipcover import print_coverage

    coverage = combine()
    percent = session.config.stash[PERCENT] = coverage["summary"]["percent_covered"]
    with (ROOT / FOLDER / "report.txt").open("w") as report:
        print_coverage(coverage, outfile=report, skip_covered=True)
    if percent < float(session.config.getini("coverage_floor")) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


PERCENT = pytest.StashKey[float]()


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the coverage."""
    percent, floor = config.stash.get(PERCENT, None), float(config.getini("coverage_floor"))
    if percent is None:
        return
    terminalreporter.section("coverage")
    terminalreporter.line(f"{percent:.2f} % of lines and branches; the floor is {floor:g} %. See {FOLDER}/report.txt.")
    if percent < floor:
        terminalreporter.line("FAILED: the coverage is below the floor.", red=True)
    elif percent >= floor + 1:
        terminalreporter.line(f"Raise coverage_floor in pyproject.toml to {int(percent)}.")


def run_program(arguments: list[str]) -> None:
    """Run a program as `python ARGUMENTS` does, measured if this process is."""
    if measurement:
        measurement.save_at_exit()
    run: Callable[..., Any] = runpy.run_path
    if arguments[0] == "-m":
        run, arguments = runpy.run_module, arguments[1:]
    sys.argv = arguments
    run(arguments[0], run_name="__main__")
