"""The order in which the packets of one connection are handled."""

from collections.abc import Callable

from chatapp.socket_engine.events import EventOrder
from chatapp.socket_engine.limits import MAX_CONCURRENT_EVENTS


class Log:
    """What happens to the packets of a connection. `run` runs what was spawned."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._spawned: list[Callable[[], object]] = []
        self.order = EventOrder(self._spawned.append, lambda: self.lines.append("unblocked"))

    def add(self, name: str) -> None:
        self.order.add(lambda: self.lines.append(name))

    def run(self) -> None:
        while self._spawned:
            self._spawned.pop(0)()


def test_a_packet_is_handled_on_a_green_thread_and_blocks_those_after_it() -> None:
    log = Log()
    log.add("join")
    assert (log.order.is_blocked, log.lines) == (True, [])
    log.run()
    assert (log.order.is_blocked, log.lines) == (False, ["join", "unblocked"])


def test_immediate_events_block_nothing() -> None:
    log = Log()
    for _ in range(3):
        log.order.begin_immediate()
        assert not log.order.is_blocked
    for _ in range(3):
        log.order.end_immediate()
    assert log.lines == []


def test_a_packet_waits_until_the_immediate_events_before_it_are_acknowledged() -> None:
    log = Log()
    log.order.begin_immediate()
    log.order.begin_immediate()
    log.add("join")
    log.order.end_immediate()
    log.run()
    assert (log.order.is_blocked, log.lines) == (True, [])
    log.order.end_immediate()
    log.run()
    assert (log.order.is_blocked, log.lines) == (False, ["join", "unblocked"])


def test_too_many_immediate_events_block_until_one_is_acknowledged() -> None:
    log = Log()
    for _ in range(MAX_CONCURRENT_EVENTS):
        assert not log.order.is_blocked
        log.order.begin_immediate()
    assert log.order.is_blocked
    log.order.end_immediate()
    assert (log.order.is_blocked, log.lines) == (False, ["unblocked"])


def test_a_packet_that_fails_does_not_block_those_after_it() -> None:
    log = Log()

    def fail() -> None:
        raise ValueError

    log.order.add(fail)
    try:
        log.run()
    except ValueError:
        log.lines.append("failed")
    assert (log.order.is_blocked, log.lines) == (False, ["unblocked", "failed"])
