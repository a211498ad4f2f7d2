"""Abusive clients: each is disconnected with one line in the log, and other users are not affected.

Two bystanders chat all the time; abusive clients come from another address. The limits of frames are those of the fast
engine: these servers run it whichever engine the suite is started with.
"""

import random
import re
import shutil
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from chatapp.config import Settings
from chatapp.limits.json_depth import MAX_JSON_DEPTH
from chatapp.realtime.conversations import READING_COST
from chatapp.socket_engine import limits
from tests.harness import ROOT
from tests.harness.abuse import (
    ABUSIVE_ADDRESS,
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    Bystanders,
    HandshakeRefused,
    Polling,
    RawSocket,
    frame,
)
from tests.harness.fuzzing import PAYLOADS, VALUES, Fuzzer, mutate_packet
from tests.harness.people import Person, message_payload
from tests.harness.rows import add_people
from tests.harness.servers import Launchers, Server, SqliteTemplate
from tests.harness.waiting import eventually, scaled

CLOSED = "connection closed by the server"
"""Log line of a disconnected client."""
MAX_PACKET_BYTES = limits.max_packet_bytes(Settings.model_fields["max_message_chars"].default)
CLOSE_SECONDS = 3.0
"""Time within which an abusive connection is closed, on a busy machine."""


@dataclass
class Target:
    """A server with two users who chat, and an abusive one."""

    server: Server
    eve: Person
    eve_id: int
    bystanders: Bystanders
    abusive_connections: int = 0
    """Number of abusive connections so far."""

    def lines(self, start: int = 0) -> list[str]:
        """Return the log from a line on, without a notice that is logged once for a process."""
        lines = self.server.log().splitlines()
        return [line for line in lines if "further occurrences of this error" not in line][start:]

    def connect(self, **options: Any) -> RawSocket:
        """Connect the abusive user."""
        return RawSocket.connect(self.server.url, self.eve.cookie, **options)

    def check_one_line(self, start: int, user: int | None) -> None:
        """Check that the log has grown by one line, with user, address and reason."""
        eventually(lambda: self.lines(start), "the disconnect is logged", timeout=3)
        self.bystanders.max_latency()  # Meanwhile any other line would have been logged.
        (line,) = self.lines(start)
        assert CLOSED in line
        assert re.search(r"\bwarning\b", line)
        assert re.search(rf"\buser={user}\b", line)
        assert re.search(rf"\baddress='?{re.escape(ABUSIVE_ADDRESS)}\b", line)
        assert re.search(r"\breason='?\w", line)
        self.abusive_connections += 1


@pytest.fixture(scope="module")
def target(sqlite_template: SqliteTemplate, launchers: Launchers) -> Iterator[Target]:
    server = Server(
        sqlite_template.copy(),
        ROOT,
        launchers,
        CHATAPP_LOG_LEVEL="WARNING",
        CHATAPP_EVENTS_PER_SECOND="0",
        CHATAPP_CONNECTIONS_PER_SECOND="100000",
        CHATAPP_MAX_CONNECTIONS_PER_ADDRESS="0",  # Only the limits of sockets are tested here.
    )
    people: list[Person] = []
    try:
        server.start()
        people += add_people(server, "ana", "bob", "eve")
        target = Target(server, people[2], people[2].id, Bystanders(people[0], people[1]))
        start = len(target.lines())
        yield target
        target.bystanders.check()
        assert server.is_running
        assert server.health().ok
        assert "Traceback" not in server.log()
        assert [line for line in target.lines(start) if CLOSED not in line] == []
        assert len(target.lines(start)) <= target.abusive_connections
    finally:
        for person in people:
            person.close()
        server.close()
        shutil.rmtree(server.data_dir)


def packets(**named: str | bytes) -> Any:
    return pytest.mark.parametrize("packet", [pytest.param(packet, id=name) for name, packet in named.items()])


def nested(depth: int) -> str:
    """Return an event that is nested so deeply, including the list of its arguments."""
    return '421["typing",' + "[" * (depth - 1) + "]" * (depth - 1) + "]"


@packets(
    unknown_event='42["no_such_event",{}]',
    unknown_event_with_ack='421["no_such_event",{}]',
    event_of_the_server='42["chat_message",{"conversation":"general"}]',
    catch_all='42["*",{}]',
    message='42["message","x"]',
    connect_as_event='42["connect",{}]',
    connect_as_event_with_ack='421["connect",{"user_id":1}]',
    disconnect_as_event='42["disconnect","x"]',
    disconnect_as_event_without_payload='42["disconnect"]',
    name_is_number="42[5,{}]",
    name_is_null="42[null]",
    name_is_object="42[{}]",
    name_is_empty='42["",{}]',
    no_name="42[]",
    object_for_arguments='42{"typing":{}}',
    text_for_arguments='42"typing"',
)
def test_an_unknown_event_closes_the_connection(target: Target, packet: str) -> None:
    check_closed(target, packet)


@packets(
    ten_million_attachments='4510000000-["x"]',
    attachment='451-["send_message",{"_placeholder":true,"num":0}]',
    no_attachment='450-["typing",{}]',
    acknowledgement_with_attachment='461-1[{"_placeholder":true,"num":0}]',
    base64="bAAAA",
)
def test_a_binary_packet_closes_the_connection(target: Target, packet: str) -> None:
    check_closed(target, packet)


@packets(
    opening="40/admin,",
    event='42/admin,["typing",{}]',
    event_with_number='42/admin,1["typing",{}]',
    end="41/admin,",
    query="40/?x=1,",
    none="40/",
)
def test_an_unknown_namespace_closes_the_connection(target: Target, packet: str) -> None:
    check_closed(target, packet)


@packets(
    engine_empty="",
    engine_unknown="9",
    engine_letter="x",
    engine_opening="0{}",
    engine_negative="-1",
    engine_nul="\0",
    socket_empty="4",
    socket_unknown_type="49",
    socket_letter="4x",
    socket_error='44{"message":"no"}',
    socket_opened_again="40",
    socket_opened_again_with_payload='40{"user_id":1}',
    number_without_event="421",
    number_negative='42-1["typing",{}]',
    number_exponent='421e9["typing",{}]',
    number_long="42" + "9" * 200 + '["typing",{}]',
    number_of_another_script='42٣["typing",{}]',
)
def test_a_malformed_packet_closes_the_connection(target: Target, packet: str) -> None:
    check_closed(target, packet)


@packets(
    no_json="42hello",
    cut_off='42["typing"',
    bracket="42[",
    brackets_that_do_not_match='42["typing",{"a":1]}',
    single_quotes="42['typing',{}]",
    comma='42["typing",{},]',
    more_after_it='42["typing",{}]]',
    control_character='42["typing",{"a":"\n"}]',
    deeper_than_32=nested(MAX_JSON_DEPTH + 2),
    objects_deeper_than_32='421["typing",' + '{"a":' * 40 + "1" + "}" * 40 + "]",
    deeper_than_a_thousand=nested(1_100),
    deeper_than_30_000=nested(30_000),
    deeper_than_60_000_and_never_closed="42" + "[" * 60_000,
)
def test_malformed_json_closes_the_connection(target: Target, packet: str) -> None:
    check_closed(target, packet)


@packets(
    text_that_is_not_utf8=frame(b'42["typing","\xff"]'),
    text_that_is_cut_in_a_character=frame('42["typing","é'.encode()[:-1]),
    surrogate=frame(b'42["typing","\xed\xa0\x80"]'),
    binary_frame=frame("3", opcode=BINARY),
    empty_binary_frame=frame(b"", opcode=BINARY),
    no_mask=frame("3", mask=None),
    control_frame_without_mask=frame(b"", opcode=PING, mask=None),
    opcode_3=frame(b"", opcode=3),
    opcode_7=frame(b"x", opcode=7),
    opcode_11=frame(b"", opcode=11),
    opcode_15=frame(b"x", opcode=15),
    reserved_1=frame("3", reserved=4),
    reserved_2=frame("3", reserved=2),
    reserved_3=frame("3", reserved=1),
    reserved_in_ping=frame(b"", opcode=PING, reserved=4),
    long_ping=frame(b"x" * 126, opcode=PING),
    long_pong=frame(b"x" * 126, opcode=PONG),
    long_close=frame(struct.pack("!H", 1000) + b"x" * 124, opcode=CLOSE),
    ping_in_fragments=frame(b"x", opcode=PING, fin=False),
    close_in_fragments=frame(b"", opcode=CLOSE, fin=False),
    continuation_of_nothing=frame(b"x", opcode=CONTINUATION),
    message_in_a_message=frame("42", fin=False) + frame("3"),
    binary_in_a_message=frame("42", fin=False) + frame(b"x", opcode=BINARY),
    fragments_that_are_not_utf8=frame(b'42["typing","\xc3', fin=False) + frame(b'x"]', opcode=CONTINUATION),
)
def test_a_malformed_frame_closes_the_connection(target: Target, packet: bytes) -> None:
    check_closed(target, packet)


@packets(
    one_byte_too_long=frame(b"", claimed=MAX_PACKET_BYTES + 1),
    megabyte=frame(b"", claimed=900_000),
    two_gigabytes=frame(b"", claimed=2**31),
    longer_than_any_memory=frame(b"", claimed=2**63 - 1),
    longer_than_allowed_at_all=frame(b"", claimed=2**64 - 1),
    second_fragment=frame("4" * (MAX_PACKET_BYTES // 2), fin=False)
    + frame(b"", opcode=CONTINUATION, claimed=MAX_PACKET_BYTES // 2 + 2),
    fragment_of_a_gigabyte=frame("4", fin=False) + frame(b"", opcode=CONTINUATION, fin=False, claimed=2**30),
    binary_megabyte=frame(b"", opcode=BINARY, claimed=900_000),
)
def test_a_frame_that_is_too_long_closes_the_connection_before_its_body_arrives(target: Target, packet: bytes) -> None:
    check_closed(target, packet)


@packets(
    that_grow=frame("4", fin=False)
    + frame(b"x" * 1_000, opcode=CONTINUATION, fin=False) * (MAX_PACKET_BYTES // 1_000 + 5),
    of_one_byte=frame("4", fin=False) + frame(b"x", opcode=CONTINUATION, fin=False) * (limits.MAX_FRAGMENTS + 10),
    of_nothing=frame("", fin=False) + frame(b"", opcode=CONTINUATION, fin=False) * (limits.MAX_FRAGMENTS + 10),
    with_pings=frame("4", fin=False)
    + (frame(b"x", opcode=CONTINUATION, fin=False) + frame(b"", opcode=PING)) * (limits.MAX_FRAGMENTS + 10),
)
def test_endless_fragments_close_the_connection(target: Target, packet: bytes) -> None:
    check_closed(target, packet)


def check_closed(target: Target, packet: str | bytes) -> None:
    """Check that the data closes an authenticated connection. A text is sent as a frame, bytes without framing."""
    start = len(target.lines())
    with target.connect() as eve:
        eve.send(packet if isinstance(packet, bytes) else frame(packet))
        assert eve.is_closed_within(scaled(CLOSE_SECONDS))
    target.check_one_line(start, target.eve_id)


@packets(
    event='421["typing",{"conversation":"general"}]',
    unknown_event='42["no_such_event"]',
    attachments='4510000000-["x"]',
    end="41",
    other_namespace="40/admin,",
)
@pytest.mark.parametrize("is_signed_in", [True, False], ids=["signed_in", "nobody"])
def test_an_event_before_the_connect_packet_closes_the_connection(
    target: Target, packet: str, is_signed_in: bool
) -> None:
    start = len(target.lines())
    with RawSocket(target.server.url, target.eve.cookie if is_signed_in else "") as client:
        client.send_packets(packet)
        assert client.is_closed_within(scaled(CLOSE_SECONDS))
    target.check_one_line(start, None)


def test_a_client_without_a_login_session_is_refused(target: Target) -> None:
    start = len(target.lines())
    with pytest.raises(ConnectionError, match="signed_out"):
        RawSocket.connect(target.server.url, "")
    with RawSocket(target.server.url, "session=forged") as nobody:
        nobody.send_packets("40", '421["send_message",{}]')
        assert nobody.is_closed_within(scaled(CLOSE_SECONDS))
    assert sum(CLOSED in line for line in target.lines(start)) <= 1
    target.abusive_connections += 1


def test_events_after_a_malformed_packet_are_not_handled(target: Target) -> None:
    start = len(target.lines())
    contents = ["after an unknown event", "after a broken frame"]
    for bad, content in zip([frame('42["no"]'), frame("3", mask=None)], contents, strict=True):
        good = '421["send_message",' + payload_text(content) + "]"
        with target.connect() as eve:
            eve.send(bad + frame(good) * 50)
            assert eve.is_closed_within(scaled(CLOSE_SECONDS))
    eventually(lambda: len(target.lines(start)) == 2, "two lines")
    target.abusive_connections += 2
    quoted = ", ".join(f"'{content}'" for content in contents)
    assert target.server.rows(f"SELECT count(*) FROM messages WHERE content IN ({quoted})") == [(0,)]


def payload_text(content: str) -> str:
    payload = message_payload(content)
    return "{" + ",".join(f'"{name}":"{value}"' for name, value in payload.items()) + "}"


@pytest.mark.parametrize("event", PAYLOADS)
def test_a_malformed_payload_is_acknowledged_with_an_error(target: Target, event: str) -> None:
    valid = PAYLOADS[event]
    with target.connect() as eve:
        invalid: tuple[list[Any], ...] = ([], [None], [5], ["x"], [[]], [{}, {}], [valid, valid], [[valid]])
        for arguments in invalid:
            ack = eve.call(event, *arguments)
            assert ack["ok"] is False, arguments
            assert ack["error"]["code"] == "invalid"
        for field in valid:
            for value in VALUES:
                ack = eve.call(event, valid | {field: value})
                assert ack["ok"] or ack["error"]["code"] != "internal", (field, value)
        assert eve.call("typing", {"conversation": "general"})["ok"]


@packets(
    text_of_maximum_length='421["typing",' + " " * (MAX_PACKET_BYTES - 16) + "{}]",
    nested_to_the_limit=nested(MAX_JSON_DEPTH - 1),
    brackets_in_a_text='421["typing",{"conversation":"' + "[{" * 5_000 + '"}]',
)
def test_packets_just_within_the_limits_are_acknowledged(target: Target, packet: str) -> None:
    with target.connect() as eve:
        eve.send_packets(packet)
        assert eve.wait_for_ack(1)["ok"] is False


def test_a_message_in_fragments_with_pings_between_them_is_one_message(target: Target) -> None:
    text = f'421["send_message",{payload_text("é 😀")}]'.encode()
    with target.connect() as eve:
        pieces = [frame(bytes([byte]), opcode=CONTINUATION, fin=False) for byte in text[1:]]
        start = frame(text[:1], fin=False) + frame(b"are you there?", opcode=PING)
        eve.send(start + frame(b"", opcode=PONG).join(pieces) + frame(b"", opcode=CONTINUATION))
        assert eve.wait_for_ack(1)["ok"]


def test_a_packet_that_arrives_byte_by_byte_is_handled(target: Target) -> None:
    with target.connect() as eve:
        for byte in frame('421["typing",{"conversation":"general"}]'):
            eve.send(bytes([byte]))
            time.sleep(0.002)
        assert eve.wait_for_ack(1)["ok"]


@packets(
    pings=frame(b"x" * 125, opcode=PING) * 20_000,
    pongs=frame(b"", opcode=PONG) * 50_000,
    pongs_without_pings=frame("3") * 50_000,
    one_byte_fragments=(frame("3", fin=False) + frame(b"", opcode=CONTINUATION) * 1) * 20_000,
)
def test_a_flood_delays_nobody_else(target: Target, packet: bytes) -> None:
    start = len(target.lines())
    target.bystanders.max_latency()
    with ThreadPoolExecutor() as pool, target.connect(timeout=60) as eve:
        sending = pool.submit(eve.send, packet)
        reading = pool.submit(eve.is_closed_within, 1)
        target.bystanders.check_latency()
        reading.result()
        target.bystanders.check_latency()
        eve.close()
        sending.result()
    target.abusive_connections += 1
    assert len(target.lines(start)) <= 1


def test_many_short_connections_delay_nobody_else(target: Target) -> None:
    start = len(target.lines())
    target.bystanders.max_latency()
    for _ in range(60):
        with target.connect() as eve:
            eve.send_packets("42[")
            assert eve.is_closed_within(scaled(CLOSE_SECONDS))
    target.bystanders.check_latency()
    eventually(lambda: len(target.lines(start)) == 60, "there is a line for each connection")
    target.abusive_connections += 60


# Long polling.


@pytest.mark.parametrize(
    "body",
    [
        pytest.param('42["no_such_event",{}]', id="unknown_event"),
        pytest.param('42["connect",{}]', id="connect_as_event"),
        pytest.param('4510000000-["x"]', id="ten_million_attachments"),
        pytest.param("bAAAA", id="base64"),
        pytest.param("40/admin,", id="unknown_namespace"),
        pytest.param("42[", id="malformed_json"),
        pytest.param("9", id="unknown_type"),
        pytest.param("", id="empty"),
        pytest.param(b"\xff\xfe", id="not_utf8"),
        pytest.param("\x1e" * 100, id="nothing_many_times"),
        pytest.param("\x1e".join(['42["typing",{}]'] * 2_000), id="too_many_packets"),
        pytest.param('42["typing",{}]\x1e42["no"]\x1e42["no"]\x1e42["no"]', id="several_unknown_events"),
        pytest.param("d=" + "4" * 100, id="jsonp"),
        pytest.param("4" * (MAX_PACKET_BYTES + 1), id="too_long"),
        pytest.param(nested(30_000), id="nested"),
    ],
)
def test_malformed_packets_close_a_polling_connection(target: Target, body: str | bytes) -> None:
    start = len(target.lines())
    eve = Polling.connect(target.server.url, target.eve.cookie)
    assert eve.post(body)[0] in {200, 400}
    target.check_one_line(start, target.eve_id)
    assert eve.is_closed()
    assert len(target.lines(start)) == 1


@pytest.mark.parametrize("length", ["900000000", "-1", "x", "1e9", "9" * 40])
def test_a_request_with_a_wrong_length_is_refused(target: Target, length: str) -> None:
    start = len(target.lines())
    eve = Polling.connect(target.server.url, target.eve.cookie)
    assert eve.post("42", **{"Content-Length": length})[0] in {400, 413}
    target.bystanders.max_latency()
    assert all(CLOSED in line for line in target.lines(start))
    assert len(target.lines(start)) <= 1
    target.abusive_connections += 1


def test_a_malformed_payload_is_acknowledged_over_polling_too(target: Target) -> None:
    eve = Polling.connect(target.server.url, target.eve.cookie)
    assert eve.call("typing", {})["ok"] is False
    assert eve.call("typing", {"conversation": "general"})["ok"]


@pytest.mark.parametrize(
    "path",
    [
        "?EIO=4&transport=polling&sid=none",
        "?EIO=4&transport=websocket&sid=none",
        "?EIO=4&transport=none",
        "?EIO=3&transport=polling",
        "?EIO=x",
        "?EIO=4&transport=polling&j=x",
        "?EIO=4&transport=websocket",
        "?" + "&".join(f"x{n}=y" for n in range(1_000)),
        "%00%ff?EIO=4",
        "",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS"])
def test_a_malformed_request_is_refused_without_a_log_line(target: Target, path: str, method: str) -> None:
    start = len(target.lines())
    response = target.eve.http.request(method, f"{target.server.url}/socket.io/{path}", data=b"x", timeout=scaled(10))
    assert response.status_code < 500
    assert target.lines(start) == []


@packets(
    no_probe="3",
    probe_of_something_else="2other",
    event='42["typing",{}]',
    binary=frame(b"2probe", opcode=BINARY),
    no_mask=frame("2probe", mask=None),
    too_long=frame(b"", claimed=900_000),
    event_after_the_probe=frame("2probe") + frame('42["typing",{}]'),
)
def test_a_malformed_upgrade_closes_the_connection(target: Target, packet: str | bytes) -> None:
    start = len(target.lines())
    polling = Polling.connect(target.server.url, target.eve.cookie)
    with RawSocket(target.server.url, target.eve.cookie, sid=polling.sid) as eve:
        eve.send(packet if isinstance(packet, bytes) else frame(packet))
        assert eve.is_closed_within(scaled(CLOSE_SECONDS))
    target.check_one_line(start, target.eve_id)
    assert polling.is_closed()


def test_compression_is_not_negotiated(target: Target) -> None:
    offer = {"Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits"}
    with target.connect(headers=offer) as eve:
        assert "sec-websocket-extensions" not in eve.headers
        assert eve.call("typing", {"conversation": "general"})["ok"]


# Fuzzing.


def test_fuzzed_packets_harm_nobody(target: Target) -> None:
    fuzz(target, seconds=5)


@pytest.mark.soak
@pytest.mark.timeout(1_000)
def test_fuzzed_packets_harm_nobody_for_long(target: Target) -> None:
    fuzz(target, seconds=600)


def fuzz(target: Target, seconds: float) -> None:
    number = random.randrange(2**32)
    print("seed", number)
    start = len(target.lines())
    target.bystanders.max_latency()
    fuzzers = [Fuzzer(target.server.url, [target.eve.cookie], f"{number} {n}") for n in range(3)]
    with ThreadPoolExecutor(len(fuzzers)) as pool:
        for done in [pool.submit(fuzzer.run, time.monotonic() + seconds) for fuzzer in fuzzers]:
            done.result()
    target.bystanders.check_latency(2)
    assert [event for fuzzer in fuzzers for event in fuzzer.silent] == []
    closed = sum(fuzzer.closed for fuzzer in fuzzers)
    handled = sum(fuzzer.handled for fuzzer in fuzzers)
    print(handled, "packets", closed, "connections closed")
    assert handled > 100, "too little was sent to prove anything"
    # Clients that disconnect or are cut off in the middle of a frame cause no line.
    target.abusive_connections += closed
    assert "Traceback" not in target.server.log()
    assert len(target.lines(start)) <= closed


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


def fuzzed(examples: int) -> Callable[[Any], Any]:
    """Return settings of Hypothesis. The server is not reset between two examples on purpose."""
    return settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
    )


def test_any_json_as_a_payload_is_acknowledged(target: Target) -> None:
    with target.connect() as eve:

        @seed(random.randrange(2**32))
        @fuzzed(250)
        @given(st.sampled_from(sorted(PAYLOADS)), st.lists(JSON, max_size=3), st.dictionaries(st.text(), JSON))
        def send(event: str, arguments: list[Any], odd: dict[str, Any]) -> None:
            valid = PAYLOADS[event]
            for sent in (arguments, [valid | odd], [valid | dict.fromkeys(list(valid)[-1:], odd)]):
                ack = eve.call(event, *sent)
                assert ack["ok"] or ack["error"]["code"] != "internal", sent

        send()


def test_any_text_or_bytes_close_the_connection_or_are_acknowledged(target: Target) -> None:
    starts = st.sampled_from(["", "4", "42", "42[", '42["typing",', "421", "40", "41", "43", "45", "46", "3", "2"])
    texts = st.tuples(starts, st.text()).map(lambda parts: "".join(parts).encode())
    mutants = st.integers(0, 2**32).map(lambda number: mutate_packet(random.Random(number)))
    start = len(target.lines())
    connections = 0

    @seed(random.randrange(2**32))
    @fuzzed(250)
    @given(st.lists(texts | mutants | st.binary(), min_size=1, max_size=10), st.booleans())
    def send(packets: list[bytes], is_polling: bool) -> None:
        nonlocal connections
        connections += 1
        if is_polling:
            poller = Polling.connect(target.server.url, target.eve.cookie)
            assert poller.post(b"\x1e".join(packets))[0] in {200, 400}
            return
        with target.connect() as eve:
            eve.send_packets(*packets, '4299["typing",{}]')
            with suppress(ConnectionError):
                assert eve.wait_for_ack(99)["ok"] is False

    send()
    target.bystanders.max_latency()
    lines = target.lines(start)
    assert all(CLOSED in line for line in lines), lines
    assert len(lines) <= connections
    target.abusive_connections += connections


# Rate limits.

EVENTS_PER_SECOND = 40
CONNECTIONS_PER_SECOND = 5


@dataclass
class LimitedTarget:
    """A server with low limits. Each test has a user and an address of its own."""

    server: Server
    bystanders: Bystanders
    people: list[Person]
    silent: list[RawSocket]
    """Connections that have sent nothing since they were opened."""


@pytest.fixture(scope="module")
def limited(sqlite_template: SqliteTemplate, launchers: Launchers) -> Iterator[LimitedTarget]:
    server = Server(
        sqlite_template.copy(),
        ROOT,
        launchers,
        CHATAPP_LOG_LEVEL="WARNING",
        CHATAPP_EVENTS_PER_SECOND=str(EVENTS_PER_SECOND),
        CHATAPP_CONNECTIONS_PER_SECOND=str(CONNECTIONS_PER_SECOND),
    )
    people: list[Person] = []
    silent: list[RawSocket] = []
    try:
        server.start()
        people += add_people(server, "ana", *(f"person{n}" for n in range(5)))
        silent += [RawSocket(server.url, cookie, address="127.0.0.9") for cookie in (people[0].cookie, "")]
        bystanders = Bystanders(people[0], people[1], pause=0.1)
        yield LimitedTarget(server, bystanders, people[2:], silent)
        bystanders.check()
        assert "Traceback" not in server.log()
    finally:
        for socket in silent:
            socket.close()
        for person in people:
            person.close()
        server.close()
        shutil.rmtree(server.data_dir)


def test_events_beyond_the_rate_are_delayed_and_none_is_lost(limited: LimitedTarget) -> None:
    burst = EVENTS_PER_SECOND * limits.BURST_SECONDS
    start = time.monotonic()
    assert call_many(limited.server, limited.people[0], burst + EVENTS_PER_SECOND) == burst + EVENTS_PER_SECOND
    assert 0.8 < time.monotonic() - start < scaled(5)
    limited.bystanders.check_latency()


def test_sockets_of_a_user_share_a_rate(limited: LimitedTarget) -> None:
    burst = EVENTS_PER_SECOND * limits.BURST_SECONDS
    start = time.monotonic()
    with ThreadPoolExecutor() as pool:
        calling = [pool.submit(call_many, limited.server, limited.people[1], burst) for _ in range(3)]
        assert [call.result() for call in calling] == [burst] * 3
    # A user has the rate of two sockets: the burst of the third one is delayed.
    assert time.monotonic() - start > 0.8 * burst / EVENTS_PER_SECOND / limits.USER_RATE_FACTOR
    limited.bystanders.check_latency()


def test_bytes_beyond_the_rate_are_delayed(limited: LimitedTarget) -> None:
    long = '["typing",' + " " * (MAX_PACKET_BYTES - 20) + "{}]"
    count = (
        int(
            (EVENTS_PER_SECOND * limits.BURST_SECONDS + EVENTS_PER_SECOND) / (MAX_PACKET_BYTES / limits.BYTES_PER_EVENT)
        )
        + 2
    )
    with RawSocket.connect(limited.server.url, limited.people[2].cookie, address="127.0.0.3") as socket:
        start = time.monotonic()
        socket.send_packets(*(f"42{n}{long}" for n in range(count)))
        assert [socket.wait_for_ack(number)["ok"] for number in range(count)] == [False] * count
        assert time.monotonic() - start > 0.8
    limited.bystanders.check_latency()


def call_many(server: Server, person: Person, count: int) -> int:
    """Send so many events at once; return how many were acknowledged, in the order of their numbers."""
    return call_all(server, person, ['["presence",{"state":"online"}]'] * count)


def call_all(server: Server, person: Person, events: Sequence[str]) -> int:
    """Send these events at once; return how many were acknowledged, in the order of their numbers."""
    with RawSocket.connect(server.url, person.cookie) as socket:
        socket.send_packets(*(f"42{number}{event}" for number, event in enumerate(events)))
        return sum(socket.wait_for_ack(number)["ok"] for number in range(len(events)))


def test_reading_many_messages_counts_as_many_events(limited: LimitedTarget) -> None:
    burst = EVENTS_PER_SECOND * limits.BURST_SECONDS // READING_COST
    joins = ['["join_chat",{"conversation":"general"}]'] * (burst + 2 * EVENTS_PER_SECOND // READING_COST)
    start = time.monotonic()
    assert call_all(limited.server, limited.people[3], joins) == len(joins)
    assert time.monotonic() - start > 0.5


def test_without_a_rate_events_are_not_delayed(target: Target) -> None:
    start = time.monotonic()
    assert call_many(target.server, target.eve, 1_000) == 1_000
    assert time.monotonic() - start < scaled(5)


def test_an_address_that_opens_too_many_connections_is_refused_for_a_while(limited: LimitedTarget) -> None:
    url, cookie, address = limited.server.url, limited.people[2].cookie, "127.0.0.4"
    burst = CONNECTIONS_PER_SECOND * limits.CONNECTION_BURST_SECONDS
    start = time.monotonic()
    sockets, refused = open_many(10 * burst, lambda: RawSocket.connect(url, cookie, address=address))
    assert burst <= len(sockets) <= burst + CONNECTIONS_PER_SECOND * (time.monotonic() - start) + 1
    assert refused.status == 429
    assert int(refused.headers["retry-after"]) > 0
    responses = [Polling(url, cookie, address=address).fetch()[:2] for _ in range(2 * CONNECTIONS_PER_SECOND)]
    status, headers = next(response for response in responses if response[0] != 200)
    assert (status, int(headers["retry-after"]) > 0) == (429, True)
    # Others are not refused, and open connections continue.
    RawSocket.connect(url, cookie, address="127.0.0.5").close()
    for socket in sockets:
        assert socket.call("typing", {"conversation": "general"})["ok"]
        socket.close()
    eventually(lambda: is_accepted(limited.server, cookie, address), "it is accepted again", timeout=10)
    assert not any(CLOSED in line and address in line for line in limited.server.log().splitlines())


def test_abusive_connections_count_for_more(limited: LimitedTarget) -> None:
    url, cookie, address = limited.server.url, limited.people[2].cookie, "127.0.0.6"

    def open_and_abuse() -> RawSocket:
        with RawSocket.connect(url, cookie, address=address) as socket:
            socket.send_packets("42[")
            assert socket.is_closed_within(scaled(CLOSE_SECONDS))
        return socket

    start = time.monotonic()
    closed = len(open_many(100, open_and_abuse)[0])
    tokens = CONNECTIONS_PER_SECOND * (limits.CONNECTION_BURST_SECONDS + time.monotonic() - start)
    assert 1 < closed <= tokens / limits.ABUSE_PENALTY_CONNECTIONS + 2
    lines = limited.server.log().splitlines()
    assert sum(CLOSED in line and address in line for line in lines) == closed


def test_the_unauthenticated_connections_of_an_address_are_limited(target: Target) -> None:
    url, cookie, address = target.server.url, target.eve.cookie, "127.0.0.7"
    sockets, refused = open_many(limits.MAX_UNAUTHENTICATED_CONNECTIONS + 20, lambda: RawSocket(url, address=address))
    assert refused.status == 429
    assert limits.MAX_UNAUTHENTICATED_CONNECTIONS - 1 <= len(sockets) <= limits.MAX_UNAUTHENTICATED_CONNECTIONS + 1
    assert is_accepted(target.server, cookie, ABUSIVE_ADDRESS)
    for socket in sockets:
        socket.close()
    eventually(lambda: is_accepted(target.server, cookie, address), "closed connections are not counted")
    target.bystanders.check_latency()


def open_many(count: int, connect: Callable[[], RawSocket]) -> tuple[list[RawSocket], HandshakeRefused]:
    """Open connections until one is refused; return them and the refusal."""
    sockets: list[RawSocket] = []
    try:
        for _ in range(count):
            sockets.append(connect())  # noqa: PERF401 - the open ones are needed when one fails
    except HandshakeRefused as refused:
        return sockets, refused
    for socket in sockets:
        socket.close()
    raise AssertionError(f"{count} connections were accepted")


def is_accepted(server: Server, cookie: str, address: str) -> bool:
    try:
        RawSocket.connect(server.url, cookie, address=address).close()
    except HandshakeRefused:
        return False
    return True


def test_a_connection_that_does_not_authenticate_is_closed(limited: LimitedTarget) -> None:
    with limited.silent[0], limited.silent[1]:
        assert all(
            socket.is_closed_within(limits.HANDSHAKE_SECONDS + scaled(CLOSE_SECONDS)) for socket in limited.silent
        )
    lines = [line for line in limited.server.log().splitlines() if CLOSED in line and "127.0.0.9" in line]
    assert len(lines) == len(limited.silent)
    assert all("user=None" in line for line in lines)


def test_a_client_that_does_not_read_is_disconnected_and_misses_nothing_after_reconnecting(target: Target) -> None:
    start = len(target.lines())
    long = "x" * 9_000
    with target.connect(buffer=4_096) as slow_reader, target.connect() as sender:
        cursor = slow_reader.call("join_chat", {"conversation": "general"})["last_event"]
        target.bystanders.max_latency()
        sent = []
        while len(target.lines()) == start:
            sent += [sender.call("send_message", message_payload(long))["message"]["client_id"] for _ in range(10)]
            assert len(sent) < 1_000, "everything is queued for it"
        target.check_one_line(start, target.eve_id)
        assert slow_reader.is_closed_within(scaled(CLOSE_SECONDS))
        assert sender.call("typing", {"conversation": "general"})["ok"]
    target.bystanders.check_latency()
    with target.connect() as again:
        seen, more = [], True
        while more:
            ack = again.call("join_chat", {"conversation": "general", "after": cursor})
            assert not ack["reset"]
            seen += [message["client_id"] for message in ack["messages"]]
            cursor, more = ack["to"], ack["more"]
    assert [key for key in seen if key in set(sent)] == sent


def test_unread_acks_are_limited_too(target: Target) -> None:
    room = target.eve.create_room()
    with target.connect() as sender:
        for _ in range(10):
            assert sender.call("send_message", message_payload("x" * 9_000, room))["ok"]
    start = len(target.lines())
    events = b"".join(frame(f'42{n}["join_chat",{{"conversation":"{room}"}}]') for n in range(200))
    with target.connect(buffer=4_096) as slow_reader, ThreadPoolExecutor() as pool:
        sending = pool.submit(slow_reader.send, events)
        eventually(lambda: target.lines(start), "it is disconnected", timeout=15)
        sending.result()
    target.check_one_line(start, target.eve_id)
