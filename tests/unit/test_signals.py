from functools import partial

import pytest

from chatapp.signals import Signal, Signals

number_added: Signal[int] = Signal("number-added")
number_removed: Signal[int] = Signal("number-removed")


def fail(_payload: int) -> None:
    raise ValueError("broken")


def test_receivers_get_the_payload_until_they_are_disconnected():
    signals = Signals()
    received: list[int] = []
    signals.connect(number_added, received.append)
    signals.send(number_added, 1)
    signals.disconnect(number_added, received.append)
    signals.send(number_added, 2)
    assert received == [1]


def test_receivers_are_called_in_the_order_of_their_connection():
    signals = Signals()
    received: list[tuple[str, int]] = []
    for name in "abc":
        signals.connect(number_added, partial(lambda name, number: received.append((name, number)), name))
    signals.send(number_added, 1)
    assert received == [("a", 1), ("b", 1), ("c", 1)]


def test_a_receiver_gets_only_the_signal_that_it_is_connected_to():
    signals = Signals()
    received: list[int] = []
    signals.connect(number_added, received.append)
    signals.send(number_removed, 1)
    assert received == []


def test_two_applications_share_no_receivers():
    first, second = Signals(), Signals()
    received: list[int] = []
    second.connect(number_added, received.append)
    first.send(number_added, 1)
    assert received == []


def test_send_raises_what_a_receiver_raises():
    signals = Signals()
    signals.connect(number_added, fail)
    with pytest.raises(ValueError, match="broken"):
        signals.send(number_added, 1)


def test_send_robust_calls_the_other_receivers_when_one_fails():
    signals = Signals()
    received: list[int] = []
    signals.connect(number_added, received.append)
    signals.connect(number_added, fail)
    signals.connect(number_added, received.append)
    signals.send_robust(number_added, 1)
    assert received == [1, 1]
