import gc

import pytest

from chatapp.signals import Signal


def fail(_payload: int) -> None:
    raise ValueError("broken")


class Receiver:
    def __init__(self, received: list[int]) -> None:
        self._received = received

    def receive(self, payload: int) -> None:
        self._received.append(payload)


def test_receivers_get_the_payload_until_they_are_disconnected():
    signal: Signal[int] = Signal("test")
    received: list[int] = []
    receive = received.append
    signal.connect(receive)
    signal.send(1)
    signal.disconnect(receive)
    signal.send(2)
    assert received == [1]


def test_connect_is_a_decorator():
    signal: Signal[int] = Signal("test")
    received: list[int] = []

    @signal.connect
    def receive(payload: int) -> None:
        received.append(payload)

    signal.send(1)
    assert received == [1]
    assert receive.__name__ == "receive"


def test_a_weakly_referenced_receiver_is_disconnected_with_its_object():
    signal: Signal[int] = Signal("test")
    received: list[int] = []
    receiver = Receiver(received)
    signal.connect(receiver.receive)
    signal.send(1)
    del receiver
    gc.collect()
    signal.send(2)
    assert received == [1]


def test_a_strongly_referenced_receiver_stays_connected():
    signal: Signal[int] = Signal("test")
    received: list[int] = []
    signal.connect(Receiver(received).receive, weak=False)
    gc.collect()
    signal.send(1)
    assert received == [1]


def test_send_raises_what_a_receiver_raises():
    signal: Signal[int] = Signal("test")
    signal.connect(fail)
    with pytest.raises(ValueError, match="broken"):
        signal.send(1)


def test_send_robust_calls_the_other_receivers_when_one_fails():
    signal: Signal[int] = Signal("test")
    received: list[int] = []
    receivers = [Receiver(received) for _ in range(3)]
    signal.connect(fail)
    for receiver in receivers:
        signal.connect(receiver.receive)
    signal.send_robust(1)
    assert received == [1, 1, 1]
