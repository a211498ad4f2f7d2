"""The audit log as a file: JSON Lines or CSV."""

import csv
import io
import json
from collections.abc import Iterable, Iterator

from chatapp.models import AuditEntry

COLUMNS = ("id", "recorded_at", "kind", "actor", "target", "conversation", "address", "count")

FORMULA_MARKS = ("=", "+", "-", "@", "\t", "\r")
"""First characters with which a spreadsheet takes a cell for a formula."""


def write_json_lines(entries: Iterable[AuditEntry]) -> Iterator[str]:
    """Yield one JSON object in a line for each entry."""
    for entry in entries:
        yield json.dumps(_values(entry), ensure_ascii=False) + "\n"


def write_csv(entries: Iterable[AuditEntry]) -> Iterator[str]:
    """Yield a line for each entry, after one with the names of the columns. Formulas are made text."""
    yield _csv_line(COLUMNS)
    for entry in entries:
        yield _csv_line([_escape_formula(value) for value in _values(entry).values()])


def _values(entry: AuditEntry) -> dict[str, object]:
    values = {name: getattr(entry, name) for name in COLUMNS}
    return values | {"recorded_at": entry.recorded_at.isoformat()}


def _escape_formula(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_MARKS) else value


def _csv_line(values: Iterable[object]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(values)
    return line.getvalue()
