"""The socket engines: every listener receives every event in order, whichever engine and transport it uses."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
from engineio.payload import Payload

from tests.harness.abuse import Polling
from tests.harness.people import NewPerson, Person, PythonSocket, Socket, message_payload
from tests.harness.servers import NewServer, Server
from tests.harness.waiting import eventually, scaled
from tests.harness.wire import ACK, PolledWire, Wire

END = "the last message"
SENDERS = 4
MESSAGES = 80
"""Messages of each sender."""


@pytest.fixture(params=["fast", "not coalesced", "stock"])
def server(request: pytest.FixtureRequest, new_server: NewServer) -> Server:
    """A server with each of the engines, without rate limits."""
    settings = {
        "fast": {"CHATAPP_SOCKET_ENGINE": "fast"},
        "not coalesced": {"CHATAPP_SOCKET_ENGINE": "fast", "CHATAPP_SOCKET_COALESCING": "false"},
        "stock": {"CHATAPP_SOCKET_ENGINE": "stock"},
    }[request.param]
    return new_server(CHATAPP_EVENTS_PER_SECOND="0", CHATAPP_GENERAL_KEEP_LAST="0", **settings).start()


class PollingSocket(PythonSocket):
    """Stays with long polling."""

    transports = ("polling",)


class UpgradingSocket(PythonSocket):
    """Starts with long polling, and upgrades to WebSocket."""

    transports = ("polling", "websocket")


def test_every_listener_receives_every_event_in_order(
    server: Server, ana: Person, bob: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The Python client, unlike that of browsers, gives up on a response with more than 16 packets.
    monkeypatch.setattr(Payload, "max_decode_packets", 10_000)
    senders = [Wire(ana) for _ in range(SENDERS)]
    fast = [Wire(bob) for _ in range(4)]
    slow = [Wire(bob, receive_buffer=16_384) for _ in range(3)]
    polling = [bob.connect(PollingSocket) for _ in range(3)]
    upgrading = [bob.connect(UpgradingSocket) for _ in range(3)]
    rejoining = [Wire(bob) for _ in range(3)]
    for wire in (*senders, *fast, *slow):
        assert wire.join() == 0
    for socket in (*polling, *upgrading):
        assert socket.join()["to"] == 0

    is_over = threading.Event()
    with ThreadPoolExecutor(32) as pool:
        listening = [pool.submit(read_to_end, wire) for wire in fast] + [
            pool.submit(read_to_end, wire, 0.05) for wire in slow
        ]
        rejoins = [pool.submit(join_and_leave, wire, is_over) for wire in rejoining]
        try:
            for sending in [pool.submit(send_many, wire, f"sender {number}") for number, wire in enumerate(senders)]:
                sending.result(scaled(60))
            last = senders[0].call("send_message", message_payload(END))["message"]["version"]
        finally:
            is_over.set()
        for reading in listening:
            reading.result(scaled(60))
        assert sum(rejoin.result(scaled(60)) for rejoin in rejoins) >= len(rejoining), "nobody joined and left"
    for wire in senders:
        read_to_end(wire)

    everything = list(range(1, last + 1))
    assert last >= SENDERS * MESSAGES
    for wire in (*senders, *fast, *slow):
        assert wire.versions() == everything
    for socket in (*polling, *upgrading):
        eventually(partial(lambda socket: END in socket.contents(), socket), "the last message arrives", 30)
        assert versions(socket) == everything


def test_a_client_that_upgrades_during_a_chat_receives_every_event_in_order(
    server: Server, ana: Person, bob: Person
) -> None:
    is_over = threading.Event()
    with ThreadPoolExecutor(4) as pool:
        chats = [pool.submit(chat, Wire(ana), is_over) for _ in range(3)]
        try:
            for _ in range(10):
                wire = PolledWire(bob)
                joined_at = wire.join()
                read_ten_more(wire, joined_at)
                wire.upgrade()
                versions_before = wire.versions()
                read_ten_more(wire, versions_before[-1])
                assert wire.versions() == list(range(versions_before[0], wire.versions()[-1] + 1))
                assert versions_before[0] <= joined_at + 1
                wire.close()
        finally:
            is_over.set()
        for chatting in chats:
            chatting.result(20)


def test_acks_arrive_in_the_order_of_sending_and_own_messages_once(server: Server, ana: Person) -> None:
    wire = Wire(ana)
    wire.join()
    numbers = [wire.post(f"message {number}") for number in range(200)]
    numbers.append(wire.post(END))

    last_ack = wire.read_until(lambda event: event[0] == ACK and event[1][0] == numbers[-1])
    read_to_end(wire)

    assert last_ack[1][1]["message"]["seq"] == 201
    acks = wire.acks()[1:]
    assert [number for number, _ in acks] == numbers
    assert [ack["message"]["seq"] for _, ack in acks] == list(range(1, 202))
    assert wire.versions() == list(range(1, 202))


def test_a_client_that_reads_late_receives_everything_in_order_and_delays_nobody(
    server: Server, ana: Person, bob: Person
) -> None:
    sender, attentive = ana.connect(), bob.connect()
    attentive.join()
    late, leaving = (Wire(bob, receive_buffer=65_536) for _ in range(2))
    for wire in (late, leaving):
        wire.join()
    start = len(late.events)

    count = fill(server, sender, late)
    leaving.close()
    for number in range(40):
        sender.post(f"{number} ".ljust(9_000, "x"))
    sender.post(END)

    eventually(lambda: END in attentive.contents(), "the other client receives the messages meanwhile", 20)
    read_to_end(late)
    assert late.versions(start) == list(range(1, count + 42))
    assert versions(attentive) == late.versions(start)
    sender.post("after")
    late.read_until(lambda event: event[0] == "chat_message" and event[1]["content"] == "after")


def test_an_unknown_engine_is_refused_at_start(new_server: NewServer) -> None:
    with pytest.raises(AssertionError, match=r"CHATAPP_SOCKET_ENGINE: Input should be 'fast' or 'stock'"):
        new_server(CHATAPP_SOCKET_ENGINE="quick").start()


def test_the_stock_engine_is_used_with_a_library_of_an_unknown_version(
    new_server: NewServer, new_person: NewPerson, tmp_path: Path
) -> None:
    package = tmp_path / "python_engineio-99.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: python-engineio\nVersion: 99.0\n")
    server = new_server(PYTHONPATH=str(tmp_path), CHATAPP_SOCKET_ENGINE="fast").start()

    socket = new_person(server, "ana").connect()
    socket.join()
    socket.post("Good morning")

    socket.wait_for_contents("Good morning")
    warnings = [line for line in server.log().splitlines() if "python-engineio 99.0" in line]
    assert len(warnings) == 1, server.log()


def read_to_end(wire: Wire, pause: float = 0) -> None:
    """Read up to the last message, with a pause after every twenty events."""
    while not any(map(is_end, wire.events[-20:])):
        wire.read_until(lambda event: is_end(event) or len(wire.events) % 20 == 0)
        time.sleep(pause)


def send_many(wire: Wire, name: str) -> None:
    """Send messages, ten in flight at a time; edit some of them and react to some."""
    for start in range(0, MESSAGES, 10):
        numbers = [wire.post(f"{name}: {number}") for number in range(start, start + 10)]
        wire.read_until(partial(lambda last, event: event[0] == ACK and event[1][0] == last, numbers[-1]))
        acks = dict(wire.acks())
        seqs = [acks[number]["message"]["seq"] for number in numbers]
        assert seqs == sorted(seqs)
        wire.call("edit_message", {"conversation": "general", "seq": seqs[0], "content": f"{name}: not {start}"})
        wire.call("react", {"conversation": "general", "seq": seqs[5], "reaction": "👍"})
    assert [number for number, _ in wire.acks()] == sorted(number for number, _ in wire.acks())


def chat(wire: Wire, is_over: threading.Event) -> None:
    """Send one message after the other."""
    while not is_over.is_set():
        wire.call("send_message", message_payload("and so on"))


def read_ten_more(wire: Wire, version: int) -> None:
    """Read until ten more events than `version` have arrived."""
    wire.read_until(lambda _event: max(wire.versions(), default=0) >= version + 10)


def join_and_leave(wire: Wire, is_over: threading.Event) -> int:
    """Join, read a little and leave, repeatedly. Return how many times."""
    times = 0
    while not is_over.is_set():
        start = len(wire.events)
        joined_at = wire.join()
        while not is_over.is_set() and max(wire.versions(start), default=0) < joined_at + 5:
            wire.read(0.05)
        wire.call("leave_chat", {"conversation": "general"})
        received, end = wire.versions(start), len(wire.events)
        assert all(later == earlier + 1 for earlier, later in pairwise(received)), received
        assert not received or received[0] <= joined_at + 1, (joined_at, received)
        until = time.monotonic() + 0.05
        while time.monotonic() < until:
            wire.read(0.02)
        assert wire.versions(end) == [], "received after leaving"
        times += 1
    return times


def fill(server: Server, sender: Socket, wire: Wire) -> int:
    """Post until the system's buffer of a client that does not read is full; return the number of messages."""
    sizes = [unsent(server, wire)]
    while len(sizes) < 10 or sizes[-10] != sizes[-1]:
        assert len(sizes) < 1_000, f"{sizes[-1]} bytes are unsent, and the buffer grows"
        sender.post(f"{len(sizes)} ".ljust(9_000, "x"))
        sizes.append(unsent(server, wire))
    return len(sizes) - 1


def unsent(server: Server, wire: Wire) -> int:
    """Return the number of bytes in the system's buffer of a client."""
    ends = f":{server.port:04X}", f":{wire.port:04X}"
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, _, queues, *_ = line.split()
        if (local[-5:], remote[-5:]) == ends:
            return int(queues.partition(":")[0], 16)
    raise AssertionError("the connection is gone")


def is_end(event: tuple[str, object]) -> bool:
    """Return whether an event is the last message."""
    name, payload = event
    return name == "chat_message" and isinstance(payload, dict) and payload["content"] == END


def versions(socket: Socket) -> list[int]:
    """Return the numbers of the timeline events that a socket has received."""
    return [payload["version"] for name, payload in list(socket.events) if name in ("chat_message", "message_changed")]


def test_an_outbox_that_is_sent_by_polling_arrives_complete_and_in_order(server: Server, ana: Person) -> None:
    # The browsers' client sends all queued packets in one request.
    contents = [f"message {number}" for number in range(200)]
    polling = Polling.connect(server.url, ana.cookie)
    packets = ("42" + json.dumps(["send_message", message_payload(text)]) for text in contents)
    assert polling.post("\x1e".join(packets))[0] == 200
    # This event is acknowledged after all of them.
    assert polling.call("typing", {"conversation": "general"})["ok"]
    assert [text for (text,) in server.rows("SELECT content FROM messages ORDER BY seq")] == contents
