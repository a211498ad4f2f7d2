"""The edge of Socket.IO: whichever way sockets are written to, everybody hears everything, in order."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest
from engineio.payload import Payload

from tests.harness.hostile import Polling
from tests.harness.people import NewPerson, Person, PythonSocket, Socket, message_payload
from tests.harness.servers import NewServer, Server
from tests.harness.waiting import eventually
from tests.harness.wire import ACKNOWLEDGED, PolledWire, Wire

END = "That is all"
TALKERS = 4
SAID = 80
"""Messages of each talker."""


@pytest.fixture(params=["fast", "not joined", "stock"])
def server(request: pytest.FixtureRequest, new_server: NewServer) -> Server:
    """A server that writes to sockets in each of the ways, and lets everybody talk as fast as they can."""
    way = {
        "fast": {"CHATAPP_SOCKET_ENGINE": "fast"},
        "not joined": {"CHATAPP_SOCKET_ENGINE": "fast", "CHATAPP_SOCKET_COALESCING": "false"},
        "stock": {"CHATAPP_SOCKET_ENGINE": "stock"},
    }[request.param]
    return new_server(CHATAPP_EVENTS_PER_SECOND="0", CHATAPP_GENERAL_KEEP_LAST="0", **way).start()


class PollingSocket(PythonSocket):
    """Never more than long polling."""

    transports = ("polling",)


class UpgradingSocket(PythonSocket):
    """Begins with long polling, and goes over to WebSocket."""

    transports = ("polling", "websocket")


def test_everybody_hears_everything_in_order_however_they_are_connected(
    server: Server, ana: Person, bob: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The Python client, other than the browsers' one, gives up when it is told more than 16 packets in one answer.
    monkeypatch.setattr(Payload, "max_decode_packets", 10_000)
    talkers = [Wire(ana) for _ in range(TALKERS)]
    quick = [Wire(bob) for _ in range(4)]
    slow = [Wire(bob, receive_buffer=16_384) for _ in range(3)]
    polling = [bob.connect(PollingSocket) for _ in range(3)]
    upgrading = [bob.connect(UpgradingSocket) for _ in range(3)]
    passing = [Wire(bob) for _ in range(3)]
    for wire in (*talkers, *quick, *slow):
        assert wire.join() == 0
    for socket in (*polling, *upgrading):
        assert socket.join()["to"] == 0

    is_over = threading.Event()
    with ThreadPoolExecutor(32) as pool:
        listening = [pool.submit(listen, wire) for wire in quick] + [pool.submit(listen, wire, 0.05) for wire in slow]
        stays = [pool.submit(come_and_go, wire, is_over) for wire in passing]
        try:
            for talking in [pool.submit(talk, wire, f"talker {number}") for number, wire in enumerate(talkers)]:
                talking.result(60)
            last = talkers[0].call("send_message", message_payload(END))["message"]["version"]
        finally:
            is_over.set()
        for each in listening:
            each.result(60)
        assert sum(stay.result(60) for stay in stays) >= len(passing), "nobody came and went: this proves nothing"
    for wire in talkers:
        listen(wire)

    everything = list(range(1, last + 1))
    assert last >= TALKERS * SAID
    for wire in (*talkers, *quick, *slow):
        assert wire.versions() == everything
    for socket in (*polling, *upgrading):
        eventually(lambda socket=socket: END in socket.contents(), "the last message is heard", 30)
        assert versions(socket) == everything


def test_who_goes_over_to_websocket_while_others_talk_hears_everything_in_order(
    server: Server, ana: Person, bob: Person
) -> None:
    is_over = threading.Event()
    with ThreadPoolExecutor(4) as pool:
        chats = [pool.submit(chat, Wire(ana), is_over) for _ in range(3)]
        try:
            for _ in range(10):
                wire = PolledWire(bob)
                told = wire.join()
                hear_more(wire, told)
                wire.upgrade()
                heard = wire.versions()
                hear_more(wire, heard[-1])
                assert wire.versions() == list(range(heard[0], wire.versions()[-1] + 1))
                assert heard[0] <= told + 1
                wire.close()
        finally:
            is_over.set()
        for each in chats:
            each.result(20)


def test_acknowledgements_come_in_the_order_of_sending_and_ones_own_messages_once(server: Server, ana: Person) -> None:
    wire = Wire(ana)
    wire.join()
    numbers = [wire.post(f"message {number}") for number in range(200)]
    numbers.append(wire.post(END))

    answered = wire.read_until(lambda heard: heard[0] == ACKNOWLEDGED and heard[1][0] == numbers[-1])
    listen(wire)

    assert answered[1][1]["message"]["seq"] == 201
    answers = wire.answers()[1:]
    assert [number for number, _ in answers] == numbers
    assert [answer["message"]["seq"] for _, answer in answers] == list(range(1, 202))
    assert wire.versions() == list(range(1, 202))


def test_who_reads_late_gets_everything_in_order_and_holds_nobody_up(server: Server, ana: Person, bob: Person) -> None:
    sender, attentive = ana.connect(), bob.connect()
    attentive.join()
    late, leaving = (Wire(bob, receive_buffer=65_536) for _ in range(2))
    for wire in (late, leaving):
        wire.join()
    heard = len(late.heard)

    count = fill(server, sender, late)
    leaving.close()
    for number in range(40):
        sender.post(f"{number} ".ljust(9_000, "x"))
    sender.post(END)

    eventually(lambda: END in attentive.contents(), "the others hear it meanwhile", 20)
    listen(late)
    assert late.versions(heard) == list(range(1, count + 42))
    assert versions(attentive) == late.versions(heard)
    sender.post("after")
    late.read_until(lambda event: event[0] == "chat_message" and event[1]["content"] == "after")


def test_an_unknown_engine_is_refused_at_the_start(new_server: NewServer) -> None:
    with pytest.raises(AssertionError, match=r"CHATAPP_SOCKET_ENGINE: Input should be 'fast' or 'stock'"):
        new_server(CHATAPP_SOCKET_ENGINE="quick").start()


def test_a_library_of_an_unknown_version_is_used_in_its_own_way(
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


def listen(wire: Wire, pause: float = 0) -> None:
    """Read up to the last message, resting a while after every twenty packets."""
    while not any(map(is_end, wire.heard[-20:])):
        wire.read_until(lambda event: is_end(event) or len(wire.heard) % 20 == 0)
        time.sleep(pause)


def talk(wire: Wire, name: str) -> None:
    """Say things, ten on their way at a time; change and react to some of them."""
    for start in range(0, SAID, 10):
        numbers = [wire.post(f"{name}: {number}") for number in range(start, start + 10)]
        wire.read_until(lambda event, last=numbers[-1]: event[0] == ACKNOWLEDGED and event[1][0] == last)
        answers = dict(wire.answers())
        seqs = [answers[number]["message"]["seq"] for number in numbers]
        assert seqs == sorted(seqs)
        wire.call("edit_message", {"conversation": "general", "seq": seqs[0], "content": f"{name}: not {start}"})
        wire.call("react", {"conversation": "general", "seq": seqs[5], "reaction": "👍"})
    assert [number for number, _ in wire.answers()] == sorted(number for number, _ in wire.answers())


def chat(wire: Wire, is_over: threading.Event) -> None:
    """Say one thing after the other."""
    while not is_over.is_set():
        wire.call("send_message", message_payload("and so on"))


def hear_more(wire: Wire, version: int) -> None:
    """Read on until ten events after one were heard."""
    wire.read_until(lambda _event: max(wire.versions(), default=0) >= version + 10)


def come_and_go(wire: Wire, is_over: threading.Event) -> int:
    """Join, hear a little, leave; again and again. Gives how many times."""
    times = 0
    while not is_over.is_set():
        start = len(wire.heard)
        told = wire.join()
        while not is_over.is_set() and max(wire.versions(start), default=0) < told + 5:
            wire.read(0.05)
        wire.call("leave_chat", {"conversation": "general"})
        heard, end = wire.versions(start), len(wire.heard)
        assert all(later == earlier + 1 for earlier, later in pairwise(heard)), heard
        assert not heard or heard[0] <= told + 1, (told, heard)
        until = time.monotonic() + 0.05
        while time.monotonic() < until:
            wire.read(0.02)
        assert wire.versions(end) == [], "heard after leaving"
        times += 1
    return times


def fill(server: Server, sender: Socket, wire: Wire) -> int:
    """Post until the system takes no more for somebody who does not read; give how many messages that took."""
    sizes = [unsent(server, wire)]
    while len(sizes) < 10 or sizes[-10] != sizes[-1]:
        assert len(sizes) < 1_000, f"{sizes[-1]} bytes wait, and it takes more"
        sender.post(f"{len(sizes)} ".ljust(9_000, "x"))
        sizes.append(unsent(server, wire))
    return len(sizes) - 1


def unsent(server: Server, wire: Wire) -> int:
    """Give the bytes that the system holds for a client of the server."""
    ends = f":{server.port:04X}", f":{wire.port:04X}"
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, _, queues, *_ = line.split()
        if (local[-5:], remote[-5:]) == ends:
            return int(queues.partition(":")[0], 16)
    raise AssertionError("the connection is gone")


def is_end(event: tuple[str, object]) -> bool:
    """Tell whether an event is the last message."""
    name, payload = event
    return name == "chat_message" and isinstance(payload, dict) and payload["content"] == END


def versions(socket: Socket) -> list[int]:
    """List the events of conversations that came, by their numbers."""
    return [payload["version"] for name, payload in list(socket.events) if name in ("chat_message", "message_changed")]


def test_an_outbox_that_empties_itself_by_polling_arrives_whole_and_in_order(server: Server, ana: Person) -> None:
    # The browsers' client puts all that waits into one request.
    said = [f"message {number}" for number in range(200)]
    polling = Polling.enter(server.url, ana.cookie)
    packets = ("42" + json.dumps(["send_message", message_payload(text)]) for text in said)
    assert polling.say("\x1e".join(packets))[0] == 200
    # Answered after all of them.
    assert polling.ask("typing", {"conversation": "general"})["ok"]
    assert [text for (text,) in server.rows("SELECT content FROM messages ORDER BY seq")] == said
