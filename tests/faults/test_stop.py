"""A graceful stop: nothing is left between commit and acknowledgement, and clients are told to come back."""

import sqlite3
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.conftest import NewPerson, NewServer
from tests.harness.audit import Talker, audit, talking
from tests.harness.people import Person, drawn_messages
from tests.harness.servers import Server

pytestmark = pytest.mark.faults


def test_a_stop_under_load_takes_less_than_ten_seconds_and_loses_nothing(
    new_server: NewServer, new_person: NewPerson, database_url: str
) -> None:
    server = new_server(database_url=database_url, CHATAPP_GENERAL_KEEP_LAST="0").start()
    people = [new_person(server, name) for name in ("ana", "bob")]
    talkers = [Talker(person, "general", person.username, pause=0) for person in people]
    with talking(*talkers):
        for _ in range(3):
            time.sleep(0.5)
            start = time.monotonic()
            assert server.terminate() == 0
            assert time.monotonic() - start < 10
            server.start()
    audit(server, *talkers)


def test_each_client_is_told_another_time_to_come_back(server: Server, ana: Person, bob: Person) -> None:
    sockets = [person.connect() for person in (ana, bob) for _ in range(4)]
    server.terminate()
    times = [socket.wait_for("restarting")[0]["reconnect_after"] for socket in sockets]
    assert all(0 < each <= 5000 for each in times)
    assert len(set(times)) > 1


def test_clients_of_a_restored_backup_start_from_its_last_page(server: Server, ana: Person) -> None:
    socket = ana.connect()
    for number in range(3):
        socket.post(f"before {number}")
    epoch = socket.join()["epoch"]
    backup = server.data_dir.with_name("backup.sqlite3")
    with sqlite3.connect(server.data_dir / "chatapp.sqlite3") as database, sqlite3.connect(backup) as copy:
        database.backup(copy)
    for number in range(5):
        socket.post(f"lost with the disk {number}")

    server.terminate()
    server.start()
    server.kill()
    for leftover in server.data_dir.glob("chatapp.sqlite3*"):
        leftover.unlink()
    backup.rename(server.data_dir / "chatapp.sqlite3")
    server.start()

    socket = ana.connect()
    for number in range(7):
        socket.post(f"afterwards {number}")
    answer = socket.join(after=8, epoch=epoch)
    assert answer["reset"]
    assert answer["epoch"] != epoch
    assert [message["content"] for message in answer["messages"]] == [
        *(f"before {number}" for number in range(3)),
        *(f"afterwards {number}" for number in range(7)),
    ]
    again = server.flask("restored")
    assert "last page" in again
    assert socket.join(after=10, epoch=answer["epoch"])["reset"]


def test_a_clock_that_is_set_back_changes_no_order(server: Server, ana: Person, bob: Person) -> None:
    first = ana.connect().post("before")
    server.terminate()
    library = find_spec("libfaketime")
    assert library, "there is no libfaketime: run bin/setup --dev"
    (preload,) = Path((library.submodule_search_locations or [""])[0]).rglob("libfaketime.so.1")
    server.start(LD_PRELOAD=str(preload), FAKETIME="-1h", FAKETIME_DONT_FAKE_MONOTONIC="1")
    for person in (ana, bob):
        person.sign_in()  # A cookie that was signed in the future is none.

    his = bob.connect()
    cursor = his.join()["last_event"]
    second = ana.connect().post("after")
    his.hear("after")
    server.terminate()
    server.start(LD_PRELOAD="", FAKETIME="")
    third = ana.connect().post("at last")

    assert second["created_at"] < first["created_at"] < third["created_at"]
    assert [message["seq"] for message in (first, second, third)] == [1, 2, 3]
    missed = bob.connect().join(after=cursor)["messages"]
    assert [message["content"] for message in missed] == ["after", "at last"]
    assert [text for _, text in drawn_messages(bob.get("/").text)] == ["before", "after", "at last"]
