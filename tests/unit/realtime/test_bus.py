"""Messages between processes, without Redis."""

import pytest
import structlog
from structlog.testing import capture_logs

from chatapp.realtime.bus import Bus

URL = "redis://127.0.0.1:1"


def publish(bus: Bus, *data: object) -> bytes:
    """Return what a process would send to Redis."""
    for each in data:
        bus.publish("typing", each)
    return bus._take_packet()


@pytest.fixture
def received() -> list[object]:
    return []


@pytest.fixture
def bus(received: list[object]) -> Bus:
    bus = Bus(URL, "secret")
    bus.on("typing", lambda _process, data: received.append(data))
    return bus


def test_a_message_of_another_process_of_the_installation_is_handled(bus: Bus, received: list[object]) -> None:
    bus._handle(publish(Bus(URL, "secret"), ["Zoë", 1]))
    assert received == [["Zoë", 1]]


def test_messages_that_wait_are_one_packet_and_an_invalid_one_does_not_stop_the_others() -> None:
    bus, received = Bus(URL, "secret"), list[int]()
    bus.on("typing", lambda _process, data: received.append(int(data)))
    bus._handle(publish(Bus(URL, "secret"), 1, "x", 3))
    assert received == [1, 3]


def test_a_process_ignores_its_own_messages(bus: Bus, received: list[object]) -> None:
    bus._handle(publish(bus, "own"))
    assert received == []


def test_messages_that_the_installation_has_not_signed_are_ignored(bus: Bus, received: list[object]) -> None:
    genuine = publish(Bus(URL, "secret"), "genuine")
    forged = b"p" * 16 + b'[["typing","forged"]]'
    for packet in (
        forged,
        b"0" * 32 + forged,
        genuine[:32] + forged,
        genuine.replace(b"genuine", b"changed"),
        publish(Bus(URL, "the secret of another installation"), "foreign"),
        *(b"", b"\xff" * 32 + forged, genuine[:32]),
    ):
        bus._handle(packet)
    assert received == []


def test_a_flood_of_invalid_messages_does_not_fill_the_log(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatapp.realtime.bus.log", structlog.get_logger())
    with capture_logs() as lines:
        for _ in range(5):
            bus._handle(b"invalid")
    assert [line["reason"] for line in lines] == ["InvalidSignature"]
