"""Refs of conversations, and the wire names that they are parsed from."""

import pytest

from chatapp.conversations.refs import GENERAL, ConversationRef, parse_ref
from chatapp.errors import InvalidConversation


def test_a_conversation_is_general_or_a_room_with_a_number() -> None:
    assert parse_ref("general") == GENERAL
    assert parse_ref("room_26") == ConversationRef("room", 26)
    assert parse_ref("room_2147483647").id == 2**31 - 1  # The maximum of PostgreSQL's INTEGER.
    for name in ("general", "room_1", "room_26"):
        assert parse_ref(name).wire_name == name


MALFORMED = [
    *("", "room", "room_", "room_x", "room_-1", "room_+1", "room_1e9", "room_1.0", "room_01", "room_0", "room_1_2"),
    *(
        " room_1",
        "room_1 ",
        "room_1\n",
        "\nroom_1",
        "room_1\0",
        "room_٢",
        "room_1٢",
        "room_²",
        "ｒoom_1",
        "room_1" * 999,
    ),
    *(
        "Room_1",
        "ROOM_1",
        "room_0x1",
        "room_2147483648",
        "room_" + "9" * 19,
        "GENERAL",
        "direct",
        "direct_0",
        "general ",
        "general_1",
        "user:1",
    ),
    *("room_1;DROP TABLE messages", "room_\ud800", "../general", "room_%31"),
]


@pytest.mark.parametrize("name", [*MALFORMED, None, 1, 1.5, True, ["general"], {"room": 1}, b"general"], ids=ascii)
def test_every_other_name_is_refused(name: object) -> None:
    with pytest.raises(InvalidConversation) as refused:
        parse_ref(name)
    assert refused.value.message.isascii() or "“" in refused.value.message
    refused.value.message.encode()
