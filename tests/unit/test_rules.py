"""Rules that need no server."""

import threading
from pathlib import Path

import pytest

from chatapp.accounts.login import is_inside
from chatapp.config import Settings
from chatapp.conversations.names import GENERAL, ConversationName, parse_name
from chatapp.errors import Empty, InvalidConversation
from chatapp.timeline.content import check_content


def test_names_are_general_or_a_room_with_its_number() -> None:
    assert parse_name("general") == GENERAL
    assert parse_name("room_26") == ConversationName("room", 26)
    assert parse_name("room_26").wire_name == "room_26"


@pytest.mark.parametrize("name", ["room_", "room_x", "room_-1", "room_1e9", "room_0", "room_1\n", "room_" + "9" * 19])
def test_another_name_is_none(name: str) -> None:
    with pytest.raises(InvalidConversation):
        parse_name(name)


def test_content_keeps_its_indentation_and_loses_blank_ends() -> None:
    assert check_content("\n  indented\r\nlines \n\n", 100) == "  indented\nlines"
    assert check_content("👩‍👧", 100) == "👩‍👧"
    with pytest.raises(Empty):
        check_content("\u200b", 100)


@pytest.mark.parametrize(
    "target",
    ["", "x", "//evil", "/\\evil", "\\\\evil", "https://evil", "/\t/evil", "/\n//evil", "javascript:x", "/\x00"],
)
def test_one_is_never_led_out_of_the_installation(target: str) -> None:
    assert not is_inside(target)


@pytest.mark.parametrize("target", ["/", "/rooms/26", "/rooms/26?before=5", "/?a=//b"])
def test_one_is_led_inside(target: str) -> None:
    assert is_inside(target)


def test_the_secret_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    settings.prepare_data_dir()
    keys: set[str] = set()
    threads = [
        threading.Thread(target=lambda: keys.add(Settings(data_dir=tmp_path / "data").secret_key())) for _ in "12"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys) == 1
    assert len(keys.pop()) == 64
    assert (tmp_path / "data/secret_key").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["secret_key"]
