"""Signals of the schedule, sent after the commit."""

from dataclasses import dataclass
from typing import Literal

from chatapp.signals import Signal

State = Literal["scheduled", "failed", "sent", "deleted"]


@dataclass(frozen=True, slots=True)
class ScheduledChanged:
    """A scheduled message that was stored, changed or deleted, or that was due."""

    user_id: int
    id: int
    state: State
    problem: str | None = None
    """Why it was not sent."""


scheduled_changed: Signal[ScheduledChanged] = Signal("scheduled-changed")
"""A scheduled message has changed."""
