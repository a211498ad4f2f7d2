"""Signals of the audit log, sent after the commit."""

from dataclasses import dataclass

from chatapp.signals import Signal


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """The values of an entry that the log shows."""

    kind: str
    actor: str | None
    target: str
    conversation: str | None
    address: str | None
    count: int = 1


event_recorded: Signal[RecordedEvent] = Signal("event-recorded")
