"""Long computations in slices, with green threads in a process of their own."""

import pytest

from chatapp.concurrency.cooperation import checkpoint, in_slices
from chatapp.markdown.time_budget import TimeBudget
from tests.harness.programs import run_program

PROGRAM = """
import eventlet
eventlet.monkey_patch()
import time
from chatapp.concurrency.cooperation import checkpoint, in_slices, is_slice_over

order = []

def compute(name, steps):
    with in_slices(), in_slices():
        for _ in range(steps):
            order.append(name)
            while not is_slice_over():
                pass
            checkpoint()

def iterate():
    while True:
        order.append("-")
        eventlet.sleep(0)

def wait_in_the_middle():
    with in_slices():
        order.append("w")
        eventlet.sleep(1_000)

eventlet.spawn(wait_in_the_middle)
threads = [eventlet.spawn(compute, name, 5) for name in "abc"]
eventlet.spawn(iterate)
for thread in threads:
    thread.wait()
print("".join(order))
"""


def test_computations_take_turns_and_everything_else_runs_in_between() -> None:
    run = run_program(PROGRAM)
    order = run.stdout.strip()
    assert order.replace("-", "") == "w" + "abc" * 5, run.stderr
    assert not any(pair in order for pair in ("ab", "bc", "ca")), "between two slices everything else runs"


URGENT_PROGRAM = """
import eventlet
eventlet.monkey_patch()
import time
from itertools import pairwise
from chatapp.concurrency import cooperation
from chatapp.concurrency.cooperation import begin_urgent, checkpoint, end_urgent, in_slices, is_slice_over

cooperation.URGENT_PAUSE_SECONDS = 0.2
turns = []

def compute():
    with in_slices():
        while True:
            turns.append(time.perf_counter())
            while not is_slice_over():
                pass
            checkpoint()

eventlet.spawn(compute)
eventlet.sleep(0.1)
begin_urgent()
before = len(turns)
while len(turns) < before + 4:
    eventlet.sleep(0)
pauses = [later - earlier for earlier, later in pairwise(turns[before:])]
end_urgent()
before = len(turns)
eventlet.sleep(0.2)
print(min(pauses) > 0.19, len(turns) > before + 1)
"""


def test_beside_urgent_work_computations_get_fewer_turns_but_get_them() -> None:
    run = run_program(URGENT_PROGRAM)
    assert run.stdout.split() == ["True", "True"], run.stderr


DELIVERY_PROGRAM = """
import eventlet
eventlet.monkey_patch()
from chatapp.concurrency import cooperation
from chatapp.concurrency.cooperation import begin_urgent, checkpoint, end_urgent, in_slices, is_slice_over

cooperation.URGENT_PAUSE_SECONDS = 1_000
cooperation.DELIVERY_SECONDS = 0.2
turns = 0

def compute():
    global turns
    with in_slices():
        while True:
            turns += 1
            while not is_slice_over():
                pass
            checkpoint()

eventlet.spawn(compute)
eventlet.sleep(0.1)
begin_urgent()
end_urgent()
before = turns
for _ in range(20):
    eventlet.sleep(0)
during = turns
eventlet.sleep(0.5)
print(during <= before + 1, turns > during)  # One turn may have been granted before.
"""


def test_sending_the_result_of_urgent_work_is_urgent_too() -> None:
    run = run_program(DELIVERY_PROGRAM)
    assert run.stdout.split() == ["True", "True"], run.stderr


def test_outside_of_a_block_nothing_waits() -> None:
    checkpoint()
    with in_slices():
        checkpoint()


def test_waiting_for_a_turn_uses_none_of_a_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0

    def wait() -> None:
        nonlocal now
        now += 10.0

    monkeypatch.setattr("chatapp.markdown.time_budget.is_slice_over", lambda: True)
    monkeypatch.setattr("chatapp.markdown.time_budget.checkpoint", wait)
    with (budget := TimeBudget(1.0, lambda: now)):
        budget.check()
        budget.check()
