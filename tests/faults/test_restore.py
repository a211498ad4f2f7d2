"""An installation restored from an older backup, while clients know event numbers that it assigns again."""

import shutil
import signal
import sqlite3
import uuid
from contextlib import closing
from pathlib import Path

import pytest

from chatapp.storage.spool import Spool
from tests.harness.assistants import start_session
from tests.harness.people import Person
from tests.harness.servers import Server
from tests.harness.waiting import eventually

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


@pytest.fixture(params=[signal.SIGTERM, signal.SIGKILL], ids=["terminated", "killed"])
def epoch(server: Server, ana: Person, request: pytest.FixtureRequest) -> str:
    """The epoch that clients know, when the server has stopped at once and its database was restored."""
    socket = ana.connect()
    for text in BEFORE:
        socket.post(text)
    epoch = socket.join()["epoch"]
    backup = back_up(server)
    for text in LOST:
        socket.post(text)
    stop = server.kill if request.param == signal.SIGKILL else server.terminate
    stop()
    restore(server, backup)
    assert isinstance(epoch, str)
    return epoch


def delete_session(person: Person, session: str) -> None:
    response = person.post(f"/sessions/{session.removeprefix('assistant_')}/delete")
    assert response.ok, response.text


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


def test_a_restore_is_detected_although_a_conversation_was_deleted(server: Server, ana: Person) -> None:
    session = start_session(ana)
    socket = ana.connect()
    epoch = socket.join()["epoch"]
    for text in BEFORE:
        socket.post(text, session)
    socket.post("before")
    backup = back_up(server)
    socket.post("lost")
    delete_session(ana, session)
    server.terminate()
    restore(server, backup)
    server.start()

    assert ana.connect().join(after=1, epoch=epoch)["reset"]


def test_a_deleted_conversation_that_exists_again_was_restored(server: Server, ana: Person) -> None:
    session = start_session(ana)
    epoch = ana.connect().join()["epoch"]
    backup = back_up(server)
    delete_session(ana, session)
    server.terminate()
    restore(server, backup)
    server.start()

    assert ana.connect().join(after=0, epoch=epoch)["reset"]


def test_deleting_a_conversation_does_not_look_like_a_restore(server: Server, ana: Person) -> None:
    session = start_session(ana)
    ana.connect().post("hello", session)
    epoch = ana.connect().join()["epoch"]
    delete_session(ana, session)
    server.kill()
    server.start()

    assert not ana.connect().join(after=0, epoch=epoch)["reset"]


def test_a_copy_of_the_whole_data_folder_keeps_its_epoch(server: Server, ana: Person) -> None:
    ana.connect().post("before")
    epoch = ana.connect().join()["epoch"]
    server.terminate()
    copy = server.data_dir.with_name("copy")
    shutil.copytree(server.data_dir, copy)
    server.start()
    ana.connect().post("lost")
    server.terminate()
    shutil.rmtree(server.data_dir)
    copy.rename(server.data_dir)
    server.start()

    assert ana.connect().join(epoch=epoch)["epoch"] == epoch


def test_a_restore_renews_the_epoch_once(server: Server, ana: Person, epoch: str) -> None:
    server.start()
    renewed = ana.connect().join()["epoch"]
    server.kill()
    server.start()

    assert ana.connect().join()["epoch"] == renewed != epoch
    assert server.log().count("was restored from a backup") == 1


def test_a_restore_is_detected_before_the_spool_fills_the_gap(server: Server, ana: Person, epoch: str) -> None:
    with closing(Spool(server.data_dir / f"spool-{server.port}.sqlite3")) as spool:
        spool.add([spool_entry(text) for text in LOST])
    server.start()

    ack = eventually(
        lambda: (ack := ana.connect().join(after=8, epoch=epoch))["last_event"] == 8 and ack, "the spool is drained"
    )

    assert ack["reset"]


def spool_entry(content: str) -> tuple[str, int, dict[str, object]]:
    client_id = str(uuid.uuid4())
    sender = {"id": 1, "username": "ana", "name": "Ana"}
    fields: dict[str, object] = {
        "conversation": "general",
        "content": content,
        "client_id": client_id,
        "sender": sender,
    }
    return client_id, 1, fields | {"created_at": "2026-01-01T00:00:00+00:00"}


def test_the_same_backup_is_detected_again(server: Server, ana: Person, epoch: str) -> None:
    backup = back_up(server)
    server.start()
    server.kill()
    restore(server, backup)
    server.start()

    assert ana.connect().join()["epoch"] != epoch
