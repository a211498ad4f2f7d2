"""Log lines in the form that `chatapp.telemetry.logs` gives them, without structlog: that would triple the memory."""

import sys
from contextlib import suppress
from datetime import UTC, datetime
from typing import TextIO

EVENT_WIDTH = 30


def write_log(level: str, event: str, **values: object) -> None:
    """Write a line with an event and its values to standard error."""
    time = datetime.now(UTC).isoformat(timespec="microseconds").removesuffix("+00:00")
    pairs = " ".join(f"{name}={value}" for name, value in values.items())
    write_line(sys.stderr, f"{time}Z [{level:<9}] {event:<{EVENT_WIDTH}} [chatapp.serving.parent] {pairs}".rstrip())


def write_line(output: TextIO, line: str) -> None:
    """Write a line. Nothing is raised when nobody can read it any more: the workers have to continue."""
    with suppress(OSError):
        output.write(line + "\n")
        output.flush()
