"""Messages between processes, without Redis."""

import json

import pytest
import structlog
from structlog.testing import capture_logs

from chatapp.realtime.bus import Bus

URL = "redis://127.0.0.1:1"


def publish(bus: Bus, data: object) -> str:
    """Return what a process would send to Redis."""
    bus.publish("typing", data)
    return bus._outgoing.get_nowait()[1]


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


def test_messages_that_the_installation_has_not_signed_are_ignored(bus: Bus, received: list[object]) -> None:
    genuine = publish(Bus(URL, "secret"), "genuine")
    forged = json.dumps({"process": "x", "kind": "typing", "data": "forged"})
    for text in (
        forged,
        "0" * 64 + forged,
        genuine[:64] + forged,
        genuine.replace("genuine", "changed"),
        publish(Bus(URL, "the secret of another installation"), "foreign"),
        *("", "é" * 64 + forged, genuine[:64], "\ud800" * 70),
    ):
        bus._handle(text)
    assert received == []


def test_a_flood_of_invalid_messages_does_not_fill_the_log(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatapp.realtime.bus.log", structlog.get_logger())
    with capture_logs() as lines:
        for _ in range(5):
            bus._handle("invalid")
    assert [line["reason"] for line in lines] == ["InvalidSignature"]
