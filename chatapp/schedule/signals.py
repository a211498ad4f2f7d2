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


ReminderState = Literal["scheduled", "due", "done"]


@dataclass(frozen=True, slots=True)
class ReminderChanged:
    """A reminder that was stored, moved or removed, or that is due."""

    user_id: int
    id: int
    state: ReminderState
    content: str
    """What the person has written."""
    conversation: str | None
    """The wire name of the conversation of the message that it is about."""
    seq: int | None


reminder_changed: Signal[ReminderChanged] = Signal("reminder-changed")
"""A reminder has changed, or is due."""

scheduled_changed: Signal[ScheduledChanged] = Signal("scheduled-changed")
"""A scheduled message has changed."""
