"""WebSockets: the event loop calls a connection when data has arrived, and sends what it has queued."""

import socket
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, cast

import pytest

from chatapp.concurrency.supervision import Supervisor
from chatapp.socket_engine import frames, limits
from chatapp.socket_engine.events import Acknowledge, EventHandler
from chatapp.socket_engine.frames import FramedPacket
from tests.harness.abuse import frame
from tests.harness.waiting import scaled

with warnings.catch_warnings():
    # Eventlet warns when it is imported.
    warnings.simplefilter("ignore")
    import eventlet
    from eventlet.event import Event
    from eventlet.greenio import GreenSocket

    from chatapp.socket_engine import connection as connection_module
    from chatapp.socket_engine.connection import Connection
    from chatapp.socket_engine.server import FastServer


class FakeGuard:
    def __init__(self) -> None:
        self.reasons: list[str] = []

    def disconnect(self, _sid: str, reason: str, *, is_abuse: bool = True) -> None:  # noqa: ARG002
        self.reasons.append(reason)

    def find_sender(self, sid: str) -> str:
        return sid


class Pair:
    """A connection, and the client at the other end of its WebSocket. Frames are counted with `pauses`."""

    def __init__(self, pauses: Iterator[float]) -> None:
        self.handled: list[str] = []
        self.released: list[bool] = []
        self.guard = FakeGuard()
        self.handle: Callable[[str], object] = self.handled.append
        self.server: Any = FastServer(Supervisor(), coalesces_writes=True, async_mode="eventlet")
        self.server.handlers["message"] = lambda _sid, text: self.handle(text)
        self.server.connection_guard = cast(Any, self.guard)
        self.connection = Connection(self.server, "engine-id")
        ours, self.client = socket.socketpair()
        self.socket = GreenSocket(ours)
        self.reader = frames.FrameReader(70_000, lambda _size: next(pauses, 0.0), lambda _data: None)

    def begin(self) -> None:
        self.connection._begin(self.socket.fd, lambda: self.released.append(True), self.reader)

    def send(self, *texts: str) -> None:
        self.client.sendall(b"".join(map(frame, texts)))

    def close(self) -> None:
        self.connection.close(wait=False, abort=True)
        self.client.close()
        self.socket.close()


@pytest.fixture
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    pair = Pair(iter(getattr(request, "param", [])))
    yield pair
    pair.close()


def wait_until(is_true: Callable[[], object]) -> None:
    with eventlet.Timeout(scaled(5)):
        while not is_true():
            eventlet.sleep(0.005)


def test_packets_that_arrive_together_are_handled_one_after_the_other(pair: Pair) -> None:
    is_done = Event()

    def wait(text: str) -> None:
        pair.handled.append(text)
        is_done.wait()

    pair.handle = wait
    pair.begin()
    pair.send("40", "41")
    wait_until(lambda: pair.handled == ["0"])
    pair.send("40")
    eventlet.sleep(0.05)
    assert pair.handled == ["0"]
    pair.handle = pair.handled.append
    is_done.send()
    wait_until(lambda: pair.handled == ["0", "1", "0"])


@pytest.mark.parametrize("pair", [[0.05, 0.05]], indirect=True)
def test_nothing_is_read_while_a_rate_limit_is_exceeded(pair: Pair) -> None:
    pair.begin()
    pair.send("40", "41")
    wait_until(lambda: pair.handled == ["0"])
    assert pair.reader.pause
    wait_until(lambda: pair.handled == ["0", "1"])
    pair.send("40")
    wait_until(lambda: pair.handled == ["0", "1", "0"])


@pytest.mark.parametrize("pair", [[0.05]], indirect=True)
def test_an_upgrade_waits_while_a_rate_limit_is_exceeded(pair: Pair) -> None:
    pair.send("2probe", "5")
    messages = [connection_module._wait_for_message(pair.socket, pair.reader) for _ in range(2)]
    assert messages == ["2probe", "5"]


def test_a_client_that_has_gone_ends_the_connection(pair: Pair) -> None:
    pair.begin()
    assert pair.released == []
    pair.client.close()
    wait_until(lambda: pair.released)
    assert pair.connection.closed
    assert pair.connection._listener is None
    assert pair.socket.fd.fileno() == -1
    assert pair.guard.reasons == []


def test_a_malformed_frame_ends_the_connection_with_the_reason(pair: Pair) -> None:
    pair.begin()
    pair.client.sendall(frame("40", mask=None))
    wait_until(lambda: pair.released)
    assert pair.guard.reasons == ["a frame without a mask"]
    assert pair.connection.closed


def test_a_client_that_sends_much_at_once_leaves_others_their_turn(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "TURN_SECONDS", 0.0)

    def handle(*_: object) -> None:
        if not pair.handled:
            eventlet.spawn_after(0, pair.handled.append, "others")
        pair.handled.append("event")

    pair.server.event_handlers = {"post": EventHandler(handle, is_immediate=True)}
    pair.begin()
    pair.send('42["post"]', '42["post"]')
    wait_until(lambda: len(pair.handled) == 3)
    assert pair.handled == ["event", "others", "event"]


def test_an_event_that_waits_delays_those_after_it(pair: Pair) -> None:
    is_done = Event()

    def handle(_sid: str, arguments: Sequence[Any], acknowledge: Acknowledge) -> None:
        pair.handled.append(arguments[0]["name"])
        acknowledge({})

    def handle_waiting(sid: str, arguments: Sequence[Any], acknowledge: Acknowledge) -> None:
        is_done.wait()
        handle(sid, arguments, acknowledge)

    event = EventHandler(handle, is_immediate=True, waiting_field="files", handle_waiting=handle_waiting)
    pair.server.event_handlers = {"post": event}
    pair.begin()
    pair.send(
        *(f'42["post",{{"name":"{name}","files":"{files}"}}]' for name, files in (("a", ""), ("b", "x"), ("c", "")))
    )
    wait_until(lambda: pair.handled == ["a"])
    eventlet.sleep(0.05)
    assert pair.handled == ["a"]
    is_done.send()
    wait_until(lambda: pair.handled == ["a", "b", "c"])


def test_a_client_that_reads_late_gets_everything_in_order(pair: Pair) -> None:
    pair.begin()
    shared = [bytes((number,)) * 50_000 for number in range(30)]
    for frame_ in shared[:15]:
        pair.connection.deliver([], frame_)
    pair.connection.flush()
    for frame_ in shared[15:]:
        pair.connection.deliver([], frame_)
    assert pair.connection._is_blocked
    assert any(queued is shared[-1] for queued in pair.connection._frames), "other connections have the same object"
    received = bytearray()
    pair.client.setblocking(False)

    def read_all() -> bool:
        with suppress(BlockingIOError):
            received.extend(pair.client.recv(1_000_000))
        return len(received) == sum(map(len, shared))

    wait_until(read_all)
    assert received == b"".join(shared)
    wait_until(lambda: not pair.connection._is_blocked)
    assert pair.connection._queued_bytes == 0


@pytest.mark.parametrize("limit", ["MAX_QUEUED_BYTES", "MAX_QUEUED_FRAMES"])
def test_a_client_that_does_not_read_broadcasts_is_disconnected(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    monkeypatch.setattr(limits, limit, {"MAX_QUEUED_BYTES": 1_000_000, "MAX_QUEUED_FRAMES": 10}[limit])
    monkeypatch.setattr(limits, "MAX_QUEUED_OWN_BYTES", 10)
    pair.begin()
    for _ in range(40):
        pair.connection.deliver([], b"x" * 50_000)
        pair.connection.flush()
    wait_until(lambda: pair.guard.reasons)
    assert pair.guard.reasons[0] == "the client does not read its packets"


def test_a_client_that_does_not_read_what_only_it_gets_is_disconnected_sooner(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MAX_QUEUED_OWN_BYTES", 1_000_000)
    pair.begin()
    for _ in range(40):
        pair.connection.send(FramedPacket(b"3" + b"x" * 50_000))
        pair.connection.flush()
    wait_until(lambda: pair.guard.reasons)
    assert pair.guard.reasons[0] == "the client does not read its packets"


def test_a_client_that_reads_may_get_any_number_of_bytes(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_QUEUED_OWN_BYTES", 10)
    pair.begin()
    for _ in range(3):
        pair.connection.send(FramedPacket(b"3" + b"x" * 50))
        pair.connection.flush()
    assert pair.guard.reasons == []
    assert pair.connection._own_bytes == 0
