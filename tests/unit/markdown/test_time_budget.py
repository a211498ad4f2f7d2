"""The budget of processor time for work on one text."""

import pytest

from chatapp.markdown.time_budget import BudgetExceeded, TimeBudget
from tests.harness.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_time_passes_only_in_with_blocks(clock: Clock) -> None:
    budget = TimeBudget(10, clock.monotonic)
    with budget:
        clock.now += 6
        budget.check()
    clock.now += 100
    with budget:
        clock.now += 3
        budget.check()
        with budget.paused():
            clock.now += 100
        budget.check()
        clock.now += 2
        with pytest.raises(BudgetExceeded):
            budget.check()


def test_items_are_yielded_until_the_budget_is_exceeded(clock: Clock) -> None:
    budget = TimeBudget(10, clock.monotonic)
    with budget:
        items = budget.limit("abc")
        assert next(items) == "a"
        clock.now += 8
        assert next(items) == "b"
        clock.now += 8
        with pytest.raises(BudgetExceeded):
            next(items)
