"""Socket.IO packets: the part of the protocol that is accepted."""

import json

import pytest
from socketio.packet import CONNECT, DISCONNECT, EVENT

from chatapp.limits.json_depth import MAX_JSON_DEPTH
from chatapp.socket_engine.limits import MIN_PACKET_BYTES, max_packet_bytes
from chatapp.socket_engine.packets import Malformed, StrictPacket, make_packet_class

Packet = make_packet_class({"typing", "send_message"})


def decode(text: str) -> StrictPacket:
    return Packet(encoded_packet=text)


def test_an_event_is_decoded() -> None:
    packet = decode('217["typing",{"conversation":"general"}]')
    assert (packet.packet_type, packet.id) == (EVENT, 17)
    assert packet.data == ["typing", {"conversation": "general"}]
    assert decode('2["typing"]').id is None


def test_connecting_and_disconnecting_are_decoded() -> None:
    assert (decode("0").packet_type, decode("0").data) == (CONNECT, None)
    assert decode('0{"user_id":3}').data == {"user_id": 3}
    assert decode("1").packet_type == DISCONNECT


@pytest.mark.parametrize(
    "text",
    [
        *("3", '31[{"ok":true}]', '4{"message":"no"}', '51-["typing",{}]', "6", "9", "x", "0[]", "1/admin,"),
        *("0/admin,", '2/admin,["typing",{}]', '2/admin,1["typing"]', "2", "21", "2hello", '2-1["typing"]'),
        *('21e9["typing"]', '2٣["typing"]', "2" + "9" * 11 + '["typing"]', '2["typing"', '2["typing"]]', "2[]"),
        *("2[5]", "2[null]", '2["no_such_event"]', '2["connect",{}]', '2["disconnect"]', '2{"typing":{}}'),
    ],
)
def test_everything_else_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        decode(text)


def test_binary_packets_are_refused() -> None:
    with pytest.raises(Malformed, match="binary"):
        Packet(encoded_packet=b"2")


def test_nesting_is_limited() -> None:
    def nested(depth: int) -> str:
        return '2["typing",' + "[" * (depth - 1) + "]" * (depth - 1) + "]"

    assert (decode(nested(MAX_JSON_DEPTH)).data or [])[0] == "typing"
    with pytest.raises(Malformed, match="levels deep"):
        decode(nested(MAX_JSON_DEPTH + 2))
    with pytest.raises(Malformed):
        decode(nested(100_000))
    brackets_in_a_string = '2["typing","' + "[{" * 5_000 + '"]'
    assert (decode(brackets_in_a_string).data or [])[1] == "[{" * 5_000


def test_each_application_has_its_own_events() -> None:
    other = make_packet_class({"vote"})
    assert other(encoded_packet='2["vote"]').data == ["vote"]
    with pytest.raises(Malformed):
        decode('2["vote"]')
    with pytest.raises(Malformed):
        other(encoded_packet='2["typing"]')


def test_a_packet_may_hold_a_message_of_the_longest_kind() -> None:
    assert max_packet_bytes(10) == MIN_PACKET_BYTES
    payload = {"content": "🎉" * 100_000, "metadata": {"x": "🎉" * 4_000}}
    assert max_packet_bytes(100_000) > len(json.dumps(payload)) > len(json.dumps(payload, ensure_ascii=False))
