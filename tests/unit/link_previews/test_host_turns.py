"""How often one host is requested."""

import threading

import pytest

from chatapp.errors import Busy
from chatapp.link_previews import host_turns
from chatapp.link_previews.host_turns import HostTurns


class Clock:
    """A clock that only `sleep` moves."""

    def __init__(self) -> None:
        self.now = 100.0
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def turns(clock: Clock) -> HostTurns:
    return HostTurns(2.0, max_calls=2, clock=clock, sleep=clock.sleep)


def test_there_is_a_pause_after_each_request_to_a_host(turns: HostTurns, clock: Clock) -> None:
    for host in ("a.com", "b.com", "a.com"):
        with turns.take(host):
            clock.now += 0.5
    assert clock.pauses == [1.5]
    clock.now += 5
    with turns.take("a.com"):
        pass
    assert clock.pauses == [1.5]


def test_few_requests_wait_for_a_host(turns: HostTurns) -> None:
    is_done = threading.Event()

    def wait() -> None:
        with turns.take("a.com"):
            is_done.set()

    with turns.take("a.com"):
        thread = threading.Thread(target=wait)
        thread.start()
        while turns._hosts["a.com"].calls < 2:
            pass
        with pytest.raises(Busy), turns.take("a.com"):
            pass
        with turns.take("b.com"):
            pass
        assert not is_done.is_set()
    thread.join()
    assert is_done.is_set()


def test_hosts_are_forgotten(turns: HostTurns, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_turns, "MAX_REMEMBERED_HOSTS", 1)
    with turns.take("a.com"), turns.take("b.com"):
        pass
    assert turns._hosts.keys() == {"a.com", "b.com"}
    clock.now += 5
    with turns.take("c.com"):
        pass
    assert turns._hosts.keys() == {"c.com"}
