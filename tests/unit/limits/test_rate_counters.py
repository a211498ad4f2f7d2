"""Rate limits: what one process counts holds in the others as soon as it is reported."""

import pytest

from chatapp.config import Settings
from chatapp.limits.rates import LIMITS, SEARCHES, SIGN_INS, RateCounters


@pytest.fixture
def processes() -> tuple[RateCounters, RateCounters]:
    counters = RateCounters(Settings(searches_per_minute=3)), RateCounters(Settings(searches_per_minute=3))
    for each in counters:
        each.share()
    return counters


def remaining(counters: RateCounters, key: object) -> int:
    usage = counters.find_usage(SEARCHES, key)
    assert usage is not None
    return usage.remaining


def test_uses_of_another_process_count_as_soon_as_they_are_reported(
    processes: tuple[RateCounters, RateCounters],
) -> None:
    first, second = processes
    assert first.try_use(SEARCHES, 1)
    assert first.try_use(SEARCHES, 1)
    second.add_reported(first.take_unreported())
    assert remaining(second, 1) == 1
    assert second.try_use(SEARCHES, 1)
    assert not second.try_use(SEARCHES, 1)
    assert second.try_use(SEARCHES, 2)


def test_uses_are_reported_once_and_not_those_that_were_refused(processes: tuple[RateCounters, RateCounters]) -> None:
    first, second = processes
    for _ in range(10):
        first.try_use(SEARCHES, "x")
    ((name, _, count),) = first.take_unreported()
    assert (name, count) == ("searches", 3)
    assert first.take_unreported() == []
    second.add_reported([(name, "digest", count)])
    assert second.take_unreported() == []


def test_a_report_does_not_contain_the_key(processes: tuple[RateCounters, RateCounters]) -> None:
    first, _ = processes
    first.try_use(SIGN_INS, "192.0.2.1 ana")
    assert "ana" not in repr(first.take_unreported())


def test_a_limit_that_this_process_does_not_have_is_ignored() -> None:
    counters = RateCounters(Settings(searches_per_minute=0))
    counters.add_reported([("of a newer release", "digest", 1), ("searches", "digest", 1)])
    assert counters.find_usage(SEARCHES, "anybody") is None
    assert counters.try_use(SEARCHES, "anybody")


def test_a_process_without_others_gathers_nothing() -> None:
    counters = RateCounters(Settings())
    counters.try_use(SIGN_INS, 1)
    assert counters.take_unreported() == []


def test_every_limit_can_be_found_by_its_name() -> None:
    from chatapp.limits import rates

    assert {id(value) for value in vars(rates).values() if isinstance(value, rates.Limit)} == {
        id(limit) for limit in LIMITS.values()
    }
