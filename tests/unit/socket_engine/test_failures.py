"""Exceptions in the green threads of the fast engine: they are counted, and no connection is left stuck."""

import warnings
from typing import Any

import pytest

from chatapp.concurrency.supervision import Supervisor
from tests.harness.waiting import scaled

with warnings.catch_warnings():
    # Eventlet warns when it is imported.
    warnings.simplefilter("ignore")
    import eventlet

    from chatapp.socket_engine.connection import Connection
    from chatapp.socket_engine.frames import FramedPacket
    from chatapp.socket_engine.server import FastServer


class FakeConnection:
    """A connection that can be made to fail."""

    closed = False

    def __init__(self, *, is_broken: bool) -> None:
        self._is_broken = is_broken
        self.received: list[str] = []
        self.errors: list[Exception] = []

    def flush(self) -> None:
        self._receive("flush")

    def deliver(self, _packets: object, _frames: bytes) -> None:
        self._receive("deliver")

    def fail(self, error: Exception) -> None:
        self.errors.append(error)

    def _receive(self, call: str) -> None:
        if self._is_broken:
            raise ValueError("broken")
        self.received.append(call)


class FakeGuard:
    def __init__(self) -> None:
        self.disconnects: list[tuple[str, bool]] = []

    def disconnect(self, sid: str, _reason: str, *, is_abuse: bool = True) -> None:
        self.disconnects.append((sid, is_abuse))


class BrokenSocket:
    def send(self, _data: bytes) -> int:
        raise ValueError("broken")


@pytest.fixture
def supervisor() -> Supervisor:
    return Supervisor()


@pytest.fixture
def server(supervisor: Supervisor) -> Any:
    return FastServer(supervisor, coalesces_writes=True, async_mode="eventlet")


def test_a_connection_that_fails_to_write_does_not_stop_the_others(server: Any) -> None:
    broken, healthy = FakeConnection(is_broken=True), FakeConnection(is_broken=False)
    for count in (1, 2):
        server.schedule_flush(broken)
        server.schedule_flush(healthy)
        eventlet.sleep(0.02)
        assert healthy.received == ["flush"] * count
        assert len(broken.errors) == count


def test_a_listener_that_fails_does_not_stop_a_broadcast(server: Any) -> None:
    broken, healthy = FakeConnection(is_broken=True), FakeConnection(is_broken=False)
    server.sockets = {"a": broken, "b": healthy}
    listeners = {"1": "a", "2": "b"}
    server.broadcast(listeners, FramedPacket(b'2["one"]'), [])
    server.broadcast(listeners, FramedPacket(b'2["two"]'), ["3"])
    eventlet.sleep(0.02)
    assert healthy.received == ["deliver", "deliver"]
    assert len(broken.errors) == 2


def test_a_connection_whose_rest_cannot_be_written_is_closed(server: Any, supervisor: Supervisor) -> None:
    server.connection_guard = guard = FakeGuard()
    connection = Connection(server, "engine-id")
    connection._is_blocked = True
    connection._write_rest(BrokenSocket(), memoryview(b"half a frame"))
    eventlet.sleep(0.02)
    assert guard.disconnects == [("engine-id", False)]
    assert connection._is_blocked, "nothing may follow half a frame"
    (status,) = supervisor.list_statuses()
    assert (status.name, status.failures) == ("socket engine", 1)


def test_a_packet_that_cannot_be_handled_closes_its_connection(server: Any, supervisor: Supervisor) -> None:
    def fail(_sid: str, _text: str) -> None:
        raise ValueError("broken")

    server.connection_guard = guard = FakeGuard()
    server.handlers["message"] = fail
    connection = Connection(server, "engine-id")
    connection.receive("40")
    with eventlet.Timeout(scaled(5)):
        while not guard.disconnects:
            eventlet.sleep(0.01)
    assert guard.disconnects == [("engine-id", False)]
    assert supervisor.list_statuses()[0].failures == 1
