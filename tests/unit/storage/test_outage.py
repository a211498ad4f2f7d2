from datetime import UTC, datetime

import pytest

from chatapp.storage.outage import Availability, Outage


def test_the_initial_state_is_available():
    outage = Outage()
    assert outage.availability is Availability.AVAILABLE
    assert outage.since is None


def test_an_outage_passes_through_all_states():
    outage = Outage()
    outage.start()
    assert outage.availability is Availability.UNAVAILABLE
    outage.recover()
    assert outage.availability is Availability.RECOVERING  # type: ignore[comparison-overlap]  # the call before has changed it
    outage.end()
    assert outage.availability is Availability.AVAILABLE
    assert outage.since is None


def test_a_failed_recovery_continues_the_same_outage():
    outage = Outage()
    began = datetime(2026, 1, 2, tzinfo=UTC)
    outage.start(began)
    outage.recover()
    assert outage.since == began
    outage.start()
    assert outage.availability is Availability.UNAVAILABLE
    assert outage.since == began


def test_a_second_outage_has_its_own_beginning():
    outage = Outage()
    outage.start(datetime(2026, 1, 2, tzinfo=UTC))
    outage.recover()
    outage.end()
    before = datetime.now(UTC)
    outage.start()
    assert outage.since is not None
    assert outage.since >= before


@pytest.mark.parametrize(
    ("path", "step"),
    [([], "recover"), ([], "end"), (["start"], "start"), (["start"], "end"), (["start", "recover"], "recover")],
)
def test_other_transitions_are_errors(path: list[str], step: str):
    outage = Outage()
    for name in path:
        getattr(outage, name)()
    state = outage.availability
    with pytest.raises(RuntimeError, match="no transition"):
        getattr(outage, step)()
    assert outage.availability is state
