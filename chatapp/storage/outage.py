"""The state machine of an outage: whether the database can commit, and since when it cannot."""

from datetime import UTC, datetime
from enum import Enum


class Availability(Enum):
    """Whether the database can commit."""

    AVAILABLE = "available"
    """Changes are committed to the database."""

    UNAVAILABLE = "unavailable"
    """A commit has failed. Changes go to the spool, and a probe tries to commit."""

    RECOVERING = "recovering"
    """The probe has committed. The spool is drained before anything else is written."""


TRANSITIONS = {
    Availability.AVAILABLE: {Availability.UNAVAILABLE},
    Availability.UNAVAILABLE: {Availability.RECOVERING},
    Availability.RECOVERING: {Availability.AVAILABLE, Availability.UNAVAILABLE},
}


class Outage:
    """The availability of the database, and when the outage began.

    The writer's thread calls `start` and `end`, the probe calls `recover`.
    """

    def __init__(self) -> None:
        self.availability = Availability.AVAILABLE
        self.since: datetime | None = None
        """When the database became unavailable; None while it is available."""

    def start(self, since: datetime | None = None) -> None:
        """Enter `UNAVAILABLE`, now or as of `since`. A failed recovery continues the same outage."""
        self._enter(Availability.UNAVAILABLE)
        self.since = self.since or since or datetime.now(UTC)

    def recover(self) -> None:
        """Enter `RECOVERING`: the database can commit again."""
        self._enter(Availability.RECOVERING)

    def end(self) -> None:
        """Enter `AVAILABLE`: the spool is empty."""
        self._enter(Availability.AVAILABLE)
        self.since = None

    def _enter(self, availability: Availability) -> None:
        if availability not in TRANSITIONS[self.availability]:
            raise RuntimeError(f"no transition from {self.availability.value} to {availability.value}")
        self.availability = availability
