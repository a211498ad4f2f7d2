"""Signals of the write path."""

from dataclasses import dataclass
from datetime import datetime

from chatapp.signals import Signal


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many changes wait in the spool, and since when the database is unavailable (None while it is available)."""

    waiting: int
    since: datetime | None


backlog_changed: Signal[Backlog] = Signal("backlog-changed")
"""The spool has grown during an outage, or the outage is over."""
