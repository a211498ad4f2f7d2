"""The state machine of an outage: whether the database can commit, and since when it cannot."""

from datetime import UTC, datetime
from enum import Enum


class State(Enum):
    """Whether the database can commit."""

    AVAILABLE = "available"
    """Changes are committed to the database."""

    UNAVAILABLE = "unavailable"
    """A commit has failed. Changes go to the spool, and a probe tries to commit."""

    RECOVERING = "recovering"
    """The probe has committed. The spool is drained before anything else is written."""


TRANSITIONS = {
    State.AVAILABLE: {State.UNAVAILABLE},
    State.UNAVAILABLE: {State.RECOVERING},
    State.RECOVERING: {State.AVAILABLE, State.UNAVAILABLE},
}


class Outage:
    """The current state. `start` and `end` are called by the writer's thread, `recover` by the probe."""

    def __init__(self) -> None:
        self.state = State.AVAILABLE
        self.since: datetime | None = None
        """When the database became unavailable; None while it is available."""

    def start(self, since: datetime | None = None) -> None:
        """Enter `UNAVAILABLE`, now or as of `since`. A failed recovery continues the same outage."""
        self._enter(State.UNAVAILABLE)
        self.since = self.since or since or datetime.now(UTC)

    def recover(self) -> None:
        """Enter `RECOVERING`: the database can commit again."""
        self._enter(State.RECOVERING)

    def end(self) -> None:
        """Enter `AVAILABLE`: the spool is empty."""
        self._enter(State.AVAILABLE)
        self.since = None

    def _enter(self, state: State) -> None:
        if state not in TRANSITIONS[self.state]:
            raise RuntimeError(f"no transition from {self.state.value} to {state.value}")
        self.state = state
