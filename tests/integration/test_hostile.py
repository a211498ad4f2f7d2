"""Clients that mean harm: each is ended with one line in the log, and nobody else notices.

The server is a real one, and knows the clients by their bytes alone. Two bystanders chat all the time; the hostile ones
come from another address. The limits of frames are those of the fast engine: the servers run it whichever one the suite
is asked for.
"""

import random
import re
import shutil
import struct
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from chatapp.config import Settings
from chatapp.socket_engine import limits
from tests.harness.fuzzing import PAYLOADS, VALUES, Fuzzer, mutant
from tests.harness.hostile import (
    AWAY,
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    Bystanders,
    NotAdmitted,
    Polling,
    RawSocket,
    frame,
)
from tests.harness.people import Person, message_payload
from tests.harness.servers import Server, SqliteTemplate
from tests.harness.waiting import eventually, scaled

ENDED = "connection closed by the server"
PACKET = limits.max_packet_bytes(Settings.model_fields["max_message_chars"].default)
"""Bytes of a packet at the most."""
SOON = 3.0
"""Seconds within which a hostile connection is ended, on a busy machine."""


@dataclass
class Place:
    """A server with two people who chat, and one who is up to no good."""

    server: Server
    eve: Person
    eve_id: int
    bystanders: Bystanders
    hostile: int = 0
    """Connections so far that did harm."""

    def lines(self, start: int = 0) -> list[str]:
        """List what the log has from some line on, without what is said once and never again."""
        lines = self.server.log().splitlines()
        return [line for line in lines if "further occurrences of this error" not in line][start:]

    def enter(self, **options: Any) -> RawSocket:
        """Let the hostile person in."""
        return RawSocket.enter(self.server.url, self.eve.cookie, **options)

    def check_one_line(self, start: int, user: int | None) -> None:
        """The log has grown by one line, which tells who it was and why."""
        eventually(lambda: self.lines(start), "the log says that the connection was ended", timeout=3)
        self.bystanders.longest_wait()  # Whatever else was to be said has been said.
        (line,) = self.lines(start)
        assert ENDED in line
        assert re.search(r"\bwarning\b", line)
        assert re.search(rf"\buser={user}\b", line)
        assert re.search(rf"\baddress='?{re.escape(AWAY)}\b", line)
        assert re.search(r"\breason='?\w", line)
        self.hostile += 1


@pytest.fixture(scope="module")
def place(sqlite_template: SqliteTemplate) -> Iterator[Place]:
    server = Server(
        sqlite_template.copy(),
        CHATAPP_LOG_LEVEL="WARNING",
        CHATAPP_EVENTS_PER_SECOND="0",
        CHATAPP_CONNECTIONS_PER_SECOND="100000",
    )
    people: list[Person] = []
    try:
        server.start()
        ana = Person(server, "ana").set_up()
        people += [ana, *(Person(server, name).accept(ana.invitation()) for name in ("bob", "eve"))]
        place = Place(server, people[2], people[2].id, Bystanders(people[0], people[1]))
        start = len(place.lines())
        yield place
        place.bystanders.check()
        assert server.is_running
        assert server.health().ok
        assert "Traceback" not in server.log()
        assert [line for line in place.lines(start) if ENDED not in line] == []
        assert len(place.lines(start)) <= place.hostile
    finally:
        for person in people:
            person.close()
        server.close()
        shutil.rmtree(server.data_dir)


def packets(**named: str | bytes) -> Any:
    return pytest.mark.parametrize("packet", [pytest.param(each, id=name) for name, each in named.items()])


def nested(depth: int) -> str:
    """Give an event whose payload is nested as deeply as that, the list of its arguments among it."""
    return '421["typing",' + "[" * (depth - 1) + "]" * (depth - 1) + "]"


@packets(
    unknown_event='42["no_such_event",{}]',
    unknown_event_that_wants_an_answer='421["no_such_event",{}]',
    event_of_the_server='42["chat_message",{"conversation":"general"}]',
    catch_all='42["*",{}]',
    message='42["message","x"]',
    connect_as_event='42["connect",{}]',
    connect_as_event_that_wants_an_answer='421["connect",{"user_id":1}]',
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
def test_an_event_that_is_none_of_ours_ends_the_connection(place: Place, packet: str) -> None:
    check_ended(place, packet)


@packets(
    ten_million_attachments='4510000000-["x"]',
    attachment='451-["send_message",{"_placeholder":true,"num":0}]',
    no_attachment='450-["typing",{}]',
    acknowledgement_with_attachment='461-1[{"_placeholder":true,"num":0}]',
    base64="bAAAA",
)
def test_a_binary_packet_ends_the_connection(place: Place, packet: str) -> None:
    check_ended(place, packet)


@packets(
    opening="40/admin,",
    event='42/admin,["typing",{}]',
    event_with_number='42/admin,1["typing",{}]',
    end="41/admin,",
    query="40/?x=1,",
    none="40/",
)
def test_an_unknown_namespace_ends_the_connection(place: Place, packet: str) -> None:
    check_ended(place, packet)


@packets(
    engine_empty="",
    engine_unknown="9",
    engine_letter="x",
    engine_opening="0{}",
    engine_negative="-1",
    engine_nul="\0",
    socket_empty="4",
    socket_unknown_kind="49",
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
def test_a_malformed_packet_ends_the_connection(place: Place, packet: str) -> None:
    check_ended(place, packet)


@packets(
    no_json="42hello",
    cut_off='42["typing"',
    bracket="42[",
    brackets_that_do_not_match='42["typing",{"a":1]}',
    single_quotes="42['typing',{}]",
    comma='42["typing",{},]',
    more_after_it='42["typing",{}]]',
    control_character='42["typing",{"a":"\n"}]',
    deeper_than_32=nested(limits.MAX_JSON_DEPTH + 2),
    objects_deeper_than_32='421["typing",' + '{"a":' * 40 + "1" + "}" * 40 + "]",
    deeper_than_a_thousand=nested(1_100),
    deeper_than_30_000=nested(30_000),
    deeper_than_60_000_and_never_closed="42" + "[" * 60_000,
)
def test_malformed_json_ends_the_connection(place: Place, packet: str) -> None:
    check_ended(place, packet)


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
def test_a_malformed_frame_ends_the_connection(place: Place, packet: bytes) -> None:
    check_ended(place, packet)


@packets(
    one_byte_too_long=frame(b"", claimed=PACKET + 1),
    megabyte=frame(b"", claimed=900_000),
    two_gigabytes=frame(b"", claimed=2**31),
    longer_than_any_memory=frame(b"", claimed=2**63 - 1),
    longer_than_allowed_at_all=frame(b"", claimed=2**64 - 1),
    second_fragment=frame("4" * (PACKET // 2), fin=False) + frame(b"", opcode=CONTINUATION, claimed=PACKET // 2 + 2),
    fragment_of_a_gigabyte=frame("4", fin=False) + frame(b"", opcode=CONTINUATION, fin=False, claimed=2**30),
    binary_megabyte=frame(b"", opcode=BINARY, claimed=900_000),
)
def test_a_frame_that_is_too_long_ends_the_connection_before_its_body_comes(place: Place, packet: bytes) -> None:
    check_ended(place, packet)


@packets(
    that_grow=frame("4", fin=False) + frame(b"x" * 1_000, opcode=CONTINUATION, fin=False) * (PACKET // 1_000 + 5),
    of_one_byte=frame("4", fin=False) + frame(b"x", opcode=CONTINUATION, fin=False) * (limits.MAX_FRAGMENTS + 10),
    of_nothing=frame("", fin=False) + frame(b"", opcode=CONTINUATION, fin=False) * (limits.MAX_FRAGMENTS + 10),
    with_pings=frame("4", fin=False)
    + (frame(b"x", opcode=CONTINUATION, fin=False) + frame(b"", opcode=PING)) * (limits.MAX_FRAGMENTS + 10),
)
def test_fragments_without_an_end_end_the_connection(place: Place, packet: bytes) -> None:
    check_ended(place, packet)


def check_ended(place: Place, packet: str | bytes) -> None:
    """What is said ends the connection of somebody who was let in. Texts go out as a frame, bytes as they are."""
    start = len(place.lines())
    with place.enter() as eve:
        eve.send(packet if isinstance(packet, bytes) else frame(packet))
        assert eve.ends_within(scaled(SOON))
    place.check_one_line(start, place.eve_id)


@packets(
    event='421["typing",{"conversation":"general"}]',
    unknown_event='42["no_such_event"]',
    attachments='4510000000-["x"]',
    end="41",
    other_namespace="40/admin,",
)
@pytest.mark.parametrize("is_signed_in", [True, False], ids=["signed_in", "nobody"])
def test_an_event_before_the_opening_ends_the_connection(place: Place, packet: str, is_signed_in: bool) -> None:
    start = len(place.lines())
    with RawSocket(place.server.url, place.eve.cookie if is_signed_in else "") as somebody:
        somebody.say(packet)
        assert somebody.ends_within(scaled(SOON))
    place.check_one_line(start, None)


def test_nobody_without_a_sign_in_is_let_in(place: Place) -> None:
    start = len(place.lines())
    with pytest.raises(ConnectionError, match="signed_out"):
        RawSocket.enter(place.server.url, "")
    with RawSocket(place.server.url, "session=forged") as nobody:
        nobody.say("40", '421["send_message",{}]')
        assert nobody.ends_within(scaled(SOON))
    assert sum(ENDED in line for line in place.lines(start)) <= 1
    place.hostile += 1


def test_what_follows_on_harm_is_not_done(place: Place) -> None:
    start = len(place.lines())
    contents = ["after an unknown event", "after a broken frame"]
    for bad, content in zip([frame('42["no"]'), frame("3", mask=None)], contents, strict=True):
        good = '421["send_message",' + payload_text(content) + "]"
        with place.enter() as eve:
            eve.send(bad + frame(good) * 50)
            assert eve.ends_within(scaled(SOON))
    eventually(lambda: len(place.lines(start)) == 2, "two lines")
    place.hostile += 2
    quoted = ", ".join(f"'{content}'" for content in contents)
    assert place.server.rows(f"SELECT count(*) FROM messages WHERE content IN ({quoted})") == [(0,)]


def payload_text(content: str) -> str:
    payload = message_payload(content)
    return "{" + ",".join(f'"{name}":"{value}"' for name, value in payload.items()) + "}"


@pytest.mark.parametrize("event", PAYLOADS)
def test_a_payload_of_the_wrong_form_is_answered(place: Place, event: str) -> None:
    valid = PAYLOADS[event]
    with place.enter() as eve:
        for arguments in ([], [None], [5], ["x"], [[]], [{}, {}], [valid, valid], [[valid]]):
            answer = eve.ask(event, *arguments)
            assert answer["ok"] is False, arguments
            assert answer["error"]["code"] == "invalid"
        for field in valid:
            for value in VALUES:
                answer = eve.ask(event, valid | {field: value})
                assert answer["ok"] or answer["error"]["code"] != "internal", (field, value)
        assert eve.ask("typing", {"conversation": "general"})["ok"]


@packets(
    text_of_the_greatest_length='421["typing",' + " " * (PACKET - 16) + "{}]",
    nested_just_so=nested(limits.MAX_JSON_DEPTH - 1),
    brackets_in_a_text='421["typing",{"conversation":"' + "[{" * 5_000 + '"}]',
)
def test_what_is_just_within_the_limits_is_answered(place: Place, packet: str) -> None:
    with place.enter() as eve:
        eve.say(packet)
        assert eve.answer(1)["ok"] is False


def test_a_message_in_fragments_with_pings_between_them_is_one_message(place: Place) -> None:
    text = '421["typing",{"conversation":"general","é":"😀"}]'.encode()
    with place.enter() as eve:
        pieces = [frame(bytes([byte]), opcode=CONTINUATION, fin=False) for byte in text[1:]]
        start = frame(text[:1], fin=False) + frame(b"are you there?", opcode=PING)
        eve.send(start + frame(b"", opcode=PONG).join(pieces) + frame(b"", opcode=CONTINUATION))
        assert eve.answer(1)["ok"]


def test_bytes_that_come_one_by_one_are_waited_for(place: Place) -> None:
    with place.enter() as eve:
        for byte in frame('421["typing",{"conversation":"general"}]'):
            eve.send(bytes([byte]))
            time.sleep(0.002)
        assert eve.answer(1)["ok"]


@packets(
    pings=frame(b"x" * 125, opcode=PING) * 20_000,
    pongs=frame(b"", opcode=PONG) * 50_000,
    answers_to_pings_that_were_not_asked=frame("3") * 50_000,
    one_byte_fragments=(frame("3", fin=False) + frame(b"", opcode=CONTINUATION) * 1) * 20_000,
)
def test_a_flood_slows_nobody_else(place: Place, packet: bytes) -> None:
    start = len(place.lines())
    place.bystanders.longest_wait()
    with ThreadPoolExecutor() as pool, place.enter(patience=60) as eve:
        sending = pool.submit(eve.send, packet)
        hearing = pool.submit(eve.ends_within, 1)
        assert place.bystanders.longest_wait() < 1
        hearing.result()
        assert place.bystanders.longest_wait() < 1
        eve.close()
        sending.result()
    place.hostile += 1
    assert len(place.lines(start)) <= 1


def test_many_connections_that_come_and_go_slow_nobody_else(place: Place) -> None:
    start = len(place.lines())
    place.bystanders.longest_wait()
    for _ in range(60):
        with place.enter() as eve:
            eve.say("42[")
            assert eve.ends_within(scaled(SOON))
    assert place.bystanders.longest_wait() < 1
    eventually(lambda: len(place.lines(start)) == 60, "a line for each of them")
    place.hostile += 60


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
        pytest.param("9", id="unknown_kind"),
        pytest.param("", id="empty"),
        pytest.param(b"\xff\xfe", id="not_utf8"),
        pytest.param("\x1e" * 100, id="nothing_many_times"),
        pytest.param("\x1e".join(['42["typing",{}]'] * 2_000), id="too_many_packets"),
        pytest.param('42["typing",{}]\x1e42["no"]\x1e42["no"]\x1e42["no"]', id="several_unknown_events"),
        pytest.param("d=" + "4" * 100, id="jsonp"),
        pytest.param("4" * (PACKET + 1), id="too_long"),
        pytest.param(nested(30_000), id="nested"),
    ],
)
def test_a_malformed_request_ends_a_connection_that_polls(place: Place, body: str | bytes) -> None:
    start = len(place.lines())
    eve = Polling.enter(place.server.url, place.eve.cookie)
    assert eve.say(body)[0] in {200, 400}
    place.check_one_line(start, place.eve_id)
    assert eve.is_over()
    assert len(place.lines(start)) == 1


@pytest.mark.parametrize("length", ["900000000", "-1", "x", "1e9", "9" * 40])
def test_a_request_that_lies_about_its_length_is_refused(place: Place, length: str) -> None:
    start = len(place.lines())
    eve = Polling.enter(place.server.url, place.eve.cookie)
    assert eve.say("42", **{"Content-Length": length})[0] in {400, 413}
    place.bystanders.longest_wait()
    assert all(ENDED in line for line in place.lines(start))
    assert len(place.lines(start)) <= 1
    place.hostile += 1


def test_a_bad_payload_is_answered_to_who_polls_too(place: Place) -> None:
    eve = Polling.enter(place.server.url, place.eve.cookie)
    assert eve.ask("typing", {})["ok"] is False
    assert eve.ask("typing", {"conversation": "general"})["ok"]


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
def test_a_request_that_makes_no_sense_is_refused_without_a_word(place: Place, path: str, method: str) -> None:
    start = len(place.lines())
    answer = place.eve.http.request(method, f"{place.server.url}/socket.io/{path}", data=b"x", timeout=10)
    assert answer.status_code < 500
    assert place.lines(start) == []


@packets(
    no_probe="3",
    probe_of_something_else="2other",
    event='42["typing",{}]',
    binary=frame(b"2probe", opcode=BINARY),
    no_mask=frame("2probe", mask=None),
    too_long=frame(b"", claimed=900_000),
    event_after_the_probe=frame("2probe") + frame('42["typing",{}]'),
)
def test_a_malformed_upgrade_ends_the_connection(place: Place, packet: str | bytes) -> None:
    start = len(place.lines())
    polling = Polling.enter(place.server.url, place.eve.cookie)
    with RawSocket(place.server.url, place.eve.cookie, sid=polling.sid) as eve:
        eve.send(packet if isinstance(packet, bytes) else frame(packet))
        assert eve.ends_within(scaled(SOON))
    place.check_one_line(start, place.eve_id)
    assert polling.is_over()


def test_compression_is_not_agreed_on(place: Place) -> None:
    offer = {"Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits"}
    with place.enter(headers=offer) as eve:
        assert "sec-websocket-extensions" not in eve.headers
        assert eve.ask("typing", {"conversation": "general"})["ok"]


# Fuzzing.


def test_packets_with_any_bytes_and_values_harm_nobody(place: Place) -> None:
    fuzz(place, seconds=8)


@pytest.mark.soak
@pytest.mark.timeout(1_000)
def test_any_bytes_and_values_harm_nobody_for_long(place: Place) -> None:
    fuzz(place, seconds=600)


def fuzz(place: Place, seconds: float) -> None:
    number = random.randrange(2**32)
    print("seed", number)
    start = len(place.lines())
    place.bystanders.longest_wait()
    fuzzers = [Fuzzer(place.server.url, [place.eve.cookie], f"{number} {n}") for n in range(3)]
    with ThreadPoolExecutor(len(fuzzers)) as pool:
        for done in [pool.submit(fuzzer.run, time.monotonic() + seconds) for fuzzer in fuzzers]:
            done.result()
    assert place.bystanders.longest_wait() < 2
    assert [event for fuzzer in fuzzers for event in fuzzer.silent] == []
    ended = sum(fuzzer.ended for fuzzer in fuzzers)
    handled = sum(fuzzer.handled for fuzzer in fuzzers)
    print(handled, "packets", ended, "connections ended")
    assert handled > 100 * seconds
    # Whoever says that they leave, or are cut off in the middle of a frame, need no line.
    place.hostile += ended
    assert "Traceback" not in place.server.log()
    assert len(place.lines(start)) <= ended


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


def fuzzed(examples: int) -> Callable[[Any], Any]:
    """Settings of Hypothesis: the server is not reset between two examples, and is not to be."""
    return settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
    )


def test_any_json_as_a_payload_is_answered(place: Place) -> None:
    with place.enter() as eve:

        @seed(random.randrange(2**32))
        @fuzzed(250)
        @given(st.sampled_from(sorted(PAYLOADS)), st.lists(JSON, max_size=3), st.dictionaries(st.text(), JSON))
        def ask(event: str, arguments: list[Any], odd: dict[str, Any]) -> None:
            valid = PAYLOADS[event]
            for asked in (arguments, [valid | odd], [valid | dict.fromkeys(list(valid)[-1:], odd)]):
                answer = eve.ask(event, *asked)
                assert answer["ok"] or answer["error"]["code"] != "internal", asked

        ask()


def test_any_text_or_bytes_end_the_connection_or_are_answered(place: Place) -> None:
    starts = st.sampled_from(["", "4", "42", "42[", '42["typing",', "421", "40", "41", "43", "45", "46", "3", "2"])
    texts = st.tuples(starts, st.text()).map(lambda parts: "".join(parts).encode())
    mutants = st.integers(0, 2**32).map(lambda number: mutant(random.Random(number)))
    start = len(place.lines())
    hostile = 0

    @seed(random.randrange(2**32))
    @fuzzed(250)
    @given(st.lists(texts | mutants | st.binary(), min_size=1, max_size=10), st.booleans())
    def say(said: list[bytes], is_polling: bool) -> None:
        nonlocal hostile
        hostile += 1
        if is_polling:
            poller = Polling.enter(place.server.url, place.eve.cookie)
            assert poller.say(b"\x1e".join(said))[0] in {200, 400}
            return
        with place.enter() as eve:
            eve.say(*said, '4299["typing",{}]')
            with suppress(ConnectionError):
                assert eve.answer(99)["ok"] is False

    say()
    place.bystanders.longest_wait()
    lines = place.lines(start)
    assert all(ENDED in line for line in lines), lines
    assert len(lines) <= hostile
    place.hostile += hostile


# How much, how fast, how many.

RATE = 40
OPENINGS = 5


@dataclass
class Bounded:
    """A server with low limits. Each test has a person and an address of its own."""

    server: Server
    bystanders: Bystanders
    people: list[Person]
    silent: list[RawSocket]
    """Connections that have said nothing since the beginning."""


@pytest.fixture(scope="module")
def bounded(sqlite_template: SqliteTemplate) -> Iterator[Bounded]:
    server = Server(
        sqlite_template.copy(),
        CHATAPP_LOG_LEVEL="WARNING",
        CHATAPP_EVENTS_PER_SECOND=str(RATE),
        CHATAPP_CONNECTIONS_PER_SECOND=str(OPENINGS),
    )
    people: list[Person] = []
    try:
        server.start()
        people.append(Person(server, "ana").set_up())
        silent = [RawSocket(server.url, cookie, address="127.0.0.9") for cookie in (people[0].cookie, "")]
        people += [Person(server, f"person{n}").accept(people[0].invitation()) for n in range(4)]
        bystanders = Bystanders(people[0], people[1], pause=0.1)
        yield Bounded(server, bystanders, people[2:], silent)
        bystanders.check()
        assert "Traceback" not in server.log()
    finally:
        for person in people:
            person.close()
        server.close()
        shutil.rmtree(server.data_dir)


def test_events_beyond_the_rate_are_read_more_slowly_and_none_is_lost(bounded: Bounded) -> None:
    burst = RATE * limits.BURST_SECONDS
    start = time.monotonic()
    assert ask_many(bounded.server, bounded.people[0], burst + RATE) == burst + RATE
    assert 0.8 < time.monotonic() - start < 5
    assert bounded.bystanders.longest_wait() < 1


def test_several_sockets_of_a_person_share_their_rate(bounded: Bounded) -> None:
    burst = RATE * limits.BURST_SECONDS
    start = time.monotonic()
    with ThreadPoolExecutor() as pool:
        asking = [pool.submit(ask_many, bounded.server, bounded.people[1], burst) for _ in range(3)]
        assert [each.result() for each in asking] == [burst] * 3
    # A person has the rate of two sockets: the burst of the third one is waited for.
    assert time.monotonic() - start > 0.8 * burst / RATE / limits.USER_RATE_FACTOR
    assert bounded.bystanders.longest_wait() < 1


def test_bytes_beyond_the_rate_are_read_more_slowly(bounded: Bounded) -> None:
    long = '["typing",' + " " * (PACKET - 20) + "{}]"
    count = int((RATE * limits.BURST_SECONDS + RATE) / (PACKET / limits.BYTES_PER_EVENT)) + 2
    with RawSocket.enter(bounded.server.url, bounded.people[2].cookie, address="127.0.0.3") as socket:
        start = time.monotonic()
        socket.say(*(f"42{n}{long}" for n in range(count)))
        assert [socket.answer(number)["ok"] for number in range(count)] == [False] * count
        assert time.monotonic() - start > 0.8
    assert bounded.bystanders.longest_wait() < 1


def ask_many(server: Server, person: Person, count: int) -> int:
    """Send so many events at once; give how many were answered, in the order of their numbers."""
    with RawSocket.enter(server.url, person.cookie) as socket:
        socket.say(*(f'42{n}["presence",{{"state":"online"}}]' for n in range(count)))
        return sum(socket.answer(number)["ok"] for number in range(count))


def test_without_a_rate_events_are_read_as_they_come(place: Place) -> None:
    start = time.monotonic()
    assert ask_many(place.server, place.eve, 1_000) == 1_000
    assert time.monotonic() - start < 5


def test_an_address_that_opens_too_many_connections_is_refused_for_a_while(bounded: Bounded) -> None:
    url, cookie, address = bounded.server.url, bounded.people[2].cookie, "127.0.0.4"
    burst = OPENINGS * limits.CONNECTION_BURST_SECONDS
    sockets, refused = open_many(burst + 20, lambda: RawSocket.enter(url, cookie, address=address))
    assert burst <= len(sockets) < burst + 15
    assert refused.status == 429
    assert int(refused.headers["retry-after"]) > 0
    answers = [Polling(url, cookie, address=address).listen()[:2] for _ in range(2 * OPENINGS)]
    status, headers = next(answer for answer in answers if answer[0] != 200)
    assert (status, int(headers["retry-after"]) > 0) == (429, True)
    # Others are not refused, and those who are in do not notice.
    RawSocket.enter(url, cookie, address="127.0.0.5").close()
    for socket in sockets:
        assert socket.ask("typing", {"conversation": "general"})["ok"]
        socket.close()
    eventually(lambda: is_let_in(bounded.server, cookie, address), "it is let in again", timeout=10)
    assert not any(ENDED in line and address in line for line in bounded.server.log().splitlines())


def test_connections_that_end_for_harm_count_for_more(bounded: Bounded) -> None:
    url, cookie, address = bounded.server.url, bounded.people[2].cookie, "127.0.0.6"

    def open_and_do_harm() -> RawSocket:
        with RawSocket.enter(url, cookie, address=address) as socket:
            socket.say("42[")
            assert socket.ends_within(scaled(SOON))
        return socket

    ended = len(open_many(50, open_and_do_harm)[0])
    assert 1 < ended <= OPENINGS * limits.CONNECTION_BURST_SECONDS / limits.ABUSE_PENALTY_CONNECTIONS + 2
    lines = bounded.server.log().splitlines()
    assert sum(ENDED in line and address in line for line in lines) == ended


def test_no_address_has_many_connections_that_are_not_let_in(place: Place) -> None:
    url, cookie, address = place.server.url, place.eve.cookie, "127.0.0.7"
    sockets, refused = open_many(limits.MAX_UNAUTHENTICATED_CONNECTIONS + 20, lambda: RawSocket(url, address=address))
    assert refused.status == 429
    assert limits.MAX_UNAUTHENTICATED_CONNECTIONS - 1 <= len(sockets) <= limits.MAX_UNAUTHENTICATED_CONNECTIONS + 1
    assert is_let_in(place.server, cookie, AWAY)
    for socket in sockets:
        socket.close()
    eventually(lambda: is_let_in(place.server, cookie, address), "those who left are not counted")
    assert place.bystanders.longest_wait() < 1


def open_many(count: int, connect: Callable[[], RawSocket]) -> tuple[list[RawSocket], NotAdmitted]:
    """Open connections until one is refused; give them, and what the refused one was told."""
    sockets: list[RawSocket] = []
    try:
        for _ in range(count):
            sockets.append(connect())  # noqa: PERF401 - those that stand are needed when one fails
    except NotAdmitted as refused:
        return sockets, refused
    for socket in sockets:
        socket.close()
    raise AssertionError(f"{count} connections were let in")


def is_let_in(server: Server, cookie: str, address: str) -> bool:
    try:
        RawSocket.enter(server.url, cookie, address=address).close()
    except NotAdmitted:
        return False
    return True


def test_a_connection_that_does_not_open_is_ended(bounded: Bounded) -> None:
    with bounded.silent[0], bounded.silent[1]:
        assert all(socket.ends_within(limits.HANDSHAKE_SECONDS + scaled(SOON)) for socket in bounded.silent)
    lines = [line for line in bounded.server.log().splitlines() if ENDED in line and "127.0.0.9" in line]
    assert len(lines) == len(bounded.silent)
    assert all("user=None" in line for line in lines)


def test_a_client_that_does_not_read_is_cut_off_and_misses_nothing_when_it_is_back(place: Place) -> None:
    start = len(place.lines())
    long = "x" * 9_000
    with place.enter(buffer=4_096) as deaf, place.enter() as speaker:
        cursor = deaf.ask("join_chat", {"conversation": "general"})["last_event"]
        place.bystanders.longest_wait()
        said = []
        while len(place.lines()) == start:
            said += [speaker.ask("send_message", message_payload(long))["message"]["client_id"] for _ in range(10)]
            assert len(said) < 1_000, "everything is kept for it"
        place.check_one_line(start, place.eve_id)
        assert deaf.ends_within(scaled(SOON))
        assert speaker.ask("typing", {"conversation": "general"})["ok"]
    assert place.bystanders.longest_wait() < 1
    with place.enter() as back:
        seen, more = [], True
        while more:
            answer = back.ask("join_chat", {"conversation": "general", "after": cursor})
            assert not answer["reset"]
            seen += [message["client_id"] for message in answer["messages"]]
            cursor, more = answer["to"], answer["more"]
    assert [key for key in seen if key in set(said)] == said


def test_answers_that_nobody_reads_are_bounded_too(place: Place) -> None:
    room = place.eve.create_room()
    with place.enter() as speaker:
        for _ in range(10):
            assert speaker.ask("send_message", message_payload("x" * 9_000, room))["ok"]
    start = len(place.lines())
    asked = b"".join(frame(f'42{n}["join_chat",{{"conversation":"{room}"}}]') for n in range(200))
    with place.enter(buffer=4_096) as deaf, ThreadPoolExecutor() as pool:
        sending = pool.submit(deaf.send, asked)
        eventually(lambda: place.lines(start), "it is cut off", timeout=15)
        sending.result()
    place.check_one_line(start, place.eve_id)
