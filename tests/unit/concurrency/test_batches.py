"""Callers that come at the same time share one call."""

import threading
from collections.abc import Collection

import pytest

from chatapp.concurrency.batches import Batcher
from tests.harness.programs import run_program

CALLERS = 5


class Numbers:
    """Finds the squares of numbers. The first call waits until `go_on` is called."""

    def __init__(self) -> None:
        self.calls: list[set[int]] = []
        self.is_running, self._may_go_on = threading.Event(), threading.Event()

    def find(self, keys: Collection[int]) -> dict[int, int]:
        self.calls.append(set(keys))
        self.is_running.set()
        self._may_go_on.wait(10)
        if 0 in keys:
            raise ValueError("zero")
        return {key: key * key for key in keys if key > 0}

    def go_on(self) -> None:
        self._may_go_on.set()


def test_a_caller_gets_the_value_of_its_key_or_the_error() -> None:
    numbers = Numbers()
    numbers.go_on()
    batcher = Batcher(numbers.find, max_keys=2)
    assert [batcher.get(key) for key in (3, -1, 4)] == [9, None, 16]
    with pytest.raises(ValueError, match="zero"):
        batcher.get(0)
    assert batcher.get(5) == 25


def test_callers_that_come_during_a_call_share_the_next_ones_which_begin_later() -> None:
    numbers, found = Numbers(), {}
    batcher = Batcher(numbers.find, max_keys=CALLERS)

    def get(key: int) -> None:
        found[key] = batcher.get(key)

    threads = [threading.Thread(target=get, args=[key]) for key in range(1, 2 * CALLERS)]
    threads[0].start()
    assert numbers.is_running.wait(10)
    for thread in threads[1:]:
        thread.start()
    numbers.go_on()
    for thread in threads:
        thread.join(10)
    assert found == {key: key * key for key in range(1, 2 * CALLERS)}
    assert numbers.calls[0] == {1}
    assert all(len(keys) <= CALLERS for keys in numbers.calls)


INTERRUPTED_PROGRAM = """
import eventlet
eventlet.monkey_patch()
import eventlet.event
from chatapp.concurrency.batches import Batcher

is_running, calls = eventlet.event.Event(), []

def find(keys):
    calls.append(sorted(keys))
    if 1 in keys:
        is_running.send()
        eventlet.sleep(1_000)
    return {key: key * key for key in keys}

batcher = Batcher(find, max_keys=100)
threads = [eventlet.spawn(batcher.get, key) for key in (1, 2, 3)]
WAIT
threads[0].kill()
print([thread.wait() for thread in threads[1:]])
print(calls)
"""


@pytest.mark.parametrize(
    ("wait", "calls"), [("eventlet.sleep(0)", [[2, 3]]), ("is_running.wait()", [[1, 2, 3], [2, 3]])]
)
def test_when_the_thread_that_makes_or_will_make_the_call_is_killed_the_others_make_another(
    wait: str, calls: list[list[int]]
) -> None:
    run = run_program(INTERRUPTED_PROGRAM.replace("WAIT", wait))
    assert run.stdout.splitlines() == ["[4, 9]", str(calls)], run.stderr
