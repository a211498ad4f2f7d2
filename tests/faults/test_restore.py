"""An installation restored from an older backup, while clients know event numbers that it assigns again."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.harness.people import Person
from tests.harness.servers import Server

pytestmark = pytest.mark.faults

BEFORE = [f"before {number}" for number in range(3)]
LOST = [f"lost with the disk {number}" for number in range(5)]


def back_up(server: Server) -> Path:
    backup = server.data_dir.with_name("backup.sqlite3")
    path = server.data_dir / "chatapp.sqlite3"
    with closing(sqlite3.connect(path)) as database, closing(sqlite3.connect(backup)) as copy:
        database.backup(copy)
    return backup


def restore(server: Server, backup: Path) -> None:
    for leftover in server.data_dir.glob("chatapp.sqlite3*"):
        leftover.unlink()
    backup.rename(server.data_dir / "chatapp.sqlite3")


@pytest.fixture
def epoch(server: Server, ana: Person) -> str:
    """The epoch that clients know, when the server is stopped and its database was restored."""
    socket = ana.connect()
    for text in BEFORE:
        socket.post(text)
    epoch = socket.join()["epoch"]
    backup = back_up(server)
    for text in LOST:
        socket.post(text)
    server.terminate()
    server.start()  # A start stores the number of events in events.json.
    server.kill()
    restore(server, backup)
    assert isinstance(epoch, str)
    return epoch


def contents(ack: dict[str, list[dict[str, str]]]) -> list[str]:
    return [message["content"] for message in ack["messages"]]


def test_a_client_ahead_of_a_restored_database_is_reset(server: Server, ana: Person, epoch: str) -> None:
    server.start()

    ack = ana.connect().join(after=8, epoch=epoch)

    assert ack["reset"]
    assert ack["last_event"] == 3
    assert contents(ack) == BEFORE


def test_a_client_whose_event_numbers_were_assigned_again_is_reset(server: Server, ana: Person, epoch: str) -> None:
    server.start()
    socket = ana.connect()
    afterwards = [f"afterwards {number}" for number in range(7)]
    for text in afterwards:
        socket.post(text)

    ack = socket.join(after=8, epoch=epoch)

    assert ack["reset"]
    assert ack["epoch"] != epoch
    assert contents(ack) == BEFORE + afterwards


def test_a_client_whose_cursor_is_in_the_backup_misses_nothing(server: Server, ana: Person, epoch: str) -> None:
    server.start()
    ana.connect().post("afterwards")

    assert contents(ana.connect().join(after=3, epoch=epoch))[-1] == "afterwards"


def test_an_outbox_resends_messages_that_the_backup_lacks(server: Server, ana: Person, epoch: str) -> None:
    server.start()
    socket = ana.connect()
    client_id = "0e8a4ff2-3c1b-4a57-9d0e-5f2c8f0a1b2c"

    first, again = (socket.send("kept in the outbox", client_id=client_id) for _ in range(2))

    assert first["message"]["seq"] == 4
    assert again == first


def test_the_command_restored_renews_the_epoch(server: Server, ana: Person) -> None:
    socket = ana.connect()
    for text in BEFORE:
        socket.post(text)
    joined = socket.join()
    assert not socket.join(after=3, epoch=joined["epoch"])["reset"]

    assert "Open pages will load" in server.flask("restored")

    assert socket.join(after=3, epoch=joined["epoch"])["reset"]
