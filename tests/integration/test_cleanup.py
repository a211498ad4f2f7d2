"""Cleanup at start and by command: only old messages are removed, and people can post meanwhile."""

import threading
from pathlib import Path

from flask import Flask

from chatapp import create_app
from chatapp.config import Settings
from tests.harness.html import rendered_messages
from tests.harness.people import NewPerson, Person, room_path
from tests.harness.rows import fill_general
from tests.harness.servers import NewServer, Server
from tests.harness.waiting import eventually


def test_the_general_chat_keeps_its_last_messages_when_it_starts(
    new_server: NewServer, new_person: NewPerson, database_url: str
) -> None:
    server = new_server(database_url=database_url, CHATAPP_GENERAL_KEEP_LAST="5").start()
    ana = new_person(server, "ana")
    room = ana.create_room()
    socket = ana.connect()
    for number in range(1, 9):
        socket.post(f"general {number}")
        socket.post(f"room {number}", room)
    server.terminate()
    server.start()

    eventually(
        lambda: "general chat trimmed" in server.log().rpartition("is ready on")[2], "the general chat is trimmed"
    )
    assert [text for _, text in rendered_messages(ana.get("/").text)] == [f"general {number}" for number in range(4, 9)]
    assert server.rows("SELECT count(*) FROM messages WHERE conversation_id <> 1") == [(8,)]
    assert server.rows("SELECT floor, last_event FROM conversations WHERE id = 1") == [(3, 8)]
    assert server.rows("SELECT count(*) FROM retired_keys") == [(3,)]
    assert ana.connect().post("general 9")["seq"] == 9
    assert "last 5 messages" in ana.get("/").text
    # Everybody sees it, not only admins.
    assert "last 5 messages" in new_person(server, "bob").get("/").text

    server.terminate()
    server.start(CHATAPP_GENERAL_KEEP_LAST="0")
    assert server.rows("SELECT count(*) FROM messages WHERE conversation_id = 1") == [(6,)]


def test_the_command_has_a_dry_run_asks_for_confirmation_and_deletes(any_server: Server, new_person: NewPerson) -> None:
    ana = new_person(any_server, "ana")
    room = ana.create_room()
    socket = ana.connect()
    for number in range(6):
        socket.post(f"message {number}", room)
    options = ("--conversation", room, "--keep-last", "2")

    def count() -> object:
        return any_server.rows("SELECT count(*) FROM messages")[0][0]

    assert "Would delete 4 messages" in any_server.flask("cleanup", *options, "--dry-run")
    assert count() == 6
    any_server.flask("cleanup", *options, stdin="n\n", expect=1)
    assert count() == 6
    assert "Deleted 4 messages" in any_server.flask("cleanup", *options, stdin="y\n")
    assert count() == 2
    assert "Deleted 0 messages" in any_server.flask("cleanup", *options, "--yes")
    assert "Would delete 0" in any_server.flask("cleanup", "--conversation", room, "--keep-last", "0", "--dry-run")
    clearing = ("--conversation", room, "--all")
    assert "Would delete 2 messages" in any_server.flask("cleanup", *clearing, "--dry-run")
    assert "not both" in any_server.flask("cleanup", *clearing, "--keep-last", "0", "--yes", expect=2)
    assert count() == 2
    confirmation = any_server.flask("cleanup", *clearing, stdin="y\n")
    assert f"Delete 2 messages of {room} (keeping none)? They will be archived." in confirmation
    assert count() == 0
    assert socket.post("after it", room)["seq"] == 7
    for wrong in ("room_x", "room_99", "nonsense"):
        printed = any_server.flask("cleanup", "--conversation", wrong, "--yes", expect=2)
        assert "conversation" in printed
        assert "Traceback" not in printed


def test_open_pages_remove_messages_of_a_cleanup_without_a_catch_up(
    new_server: NewServer, new_person: NewPerson
) -> None:
    server = new_server(CHATAPP_HEARTBEAT_SECONDS="0.2").start()
    ana = new_person(server, "ana")
    socket = ana.connect()
    socket.join()
    for number in range(5):
        socket.post(f"message {number}")
    server.flask("cleanup", "--keep-last", "2", "--yes")

    eventually(
        lambda: any(
            heads["conversations"]["general"] == {"last_event": 5, "floor": 3} for heads in socket.payloads("heads")
        ),
        "the heartbeat has the new floor",
    )
    ack = socket.join(after=4)
    assert (ack["reset"], [each["seq"] for each in ack["messages"]]) == (False, [5])
    assert socket.join(after=1)["reset"]


def test_managers_and_admins_clear_the_history_after_a_confirmation_with_the_number_of_messages(
    server: Server, ana: Person, bob: Person, eve: Person
) -> None:
    room = bob.create_room("Tea & cake")
    for person in (ana, eve):
        bob.invite(room, person)
    ana_socket, bob_socket = ana.connect(), bob.connect()
    for number in range(12):
        bob_socket.post(f"general {number}")
        bob_socket.post(f"room {number}", room)
    settings = f"{room_path(room)}/settings"

    # Managers and admins see the button and the number, other members do not.
    question = "Delete all 12 messages of “{}”?"
    assert question.format("Tea &amp; cake") in bob.get(settings).text
    assert question.format("Tea &amp; cake") in ana.get(settings).text
    assert question.format("General") in ana.get("/").text
    for page in (eve.get(settings), eve.get("/"), bob.get("/")):
        assert "Clear history" not in page.text
    assert eve.post(f"/conversations/{room}/clear").status_code == 403
    assert bob.post("/conversations/general/clear").status_code == 403

    assert "12 messages deleted." in bob.post(f"/conversations/{room}/clear").text
    assert server.rows("SELECT DISTINCT conversation_id FROM messages") == [(1,)]
    assert "Clear history" not in bob.get(settings).text
    ana_socket.post("one more", room)
    assert "Delete the only message of “Tea &amp; cake”?" in bob.get(settings).text
    assert ana.post("/conversations/general/clear").ok
    # The numbers of messages are not used again, and open pages are reset.
    assert bob_socket.post("after it")["seq"] == 13
    assert bob_socket.join(after=5)["reset"]
    assert [
        (entry[0], entry[1])
        for entry in server.rows(
            "SELECT conversation, target FROM audit_log WHERE kind = 'conversation.cleared' ORDER BY id"
        )
    ] == [(room, "12 messages"), ("general", "12 messages")]


def test_people_can_post_while_a_large_room_is_cleaned_up(server: Server, ana: Person) -> None:
    fill_general(server, 15_000)
    socket = ana.connect()
    socket.join()
    cleaning = threading.Thread(target=server.flask, args=("cleanup", "--keep-last", "1000", "--yes"))
    cleaning.start()
    posted = 0
    while cleaning.is_alive():
        socket.post(f"meanwhile {posted}")
        posted += 1
    cleaning.join()
    assert posted > 20
    assert server.rows("SELECT count(*) FROM messages WHERE content LIKE 'meanwhile%' AND seq > 15000") == [(posted,)]
    assert server.rows("SELECT count(*) FROM messages WHERE seq <= 14000") == [(0,)]


def test_the_command_keeps_the_configured_number_of_messages_and_rejects_invalid_options(app: Flask) -> None:
    def cleanup(*options: str, expect: int = 0) -> str:
        done = app.test_cli_runner().invoke(args=("cleanup", *options))
        assert done.exit_code == expect, done.output
        return done.output

    assert "Deleted 0 messages of general (keeping the last 100)" in cleanup("--yes")
    assert "Would delete 0 messages of general (keeping all)" in cleanup("--keep-last", "0", "--dry-run")
    for wrong in ("-1", "x", "1.5", ""):
        assert "--keep-last" in cleanup("--keep-last", wrong, "--yes", expect=2)
    for wrong in ("room_1", "room_2147483648", "room_01", "ROOM_1", ""):
        assert "--conversation" in cleanup("--conversation", wrong, "--yes", expect=2)
    assert "--dry-run" in cleanup("--help")


def test_a_large_cleanup_at_start_does_not_delay_requests(server: Server, ana: Person) -> None:
    fill_general(server, 10_000)
    server.terminate()
    server.start(CHATAPP_GENERAL_KEEP_LAST="100")
    socket = ana.connect()
    socket.join()
    sent = [socket.post(f"meanwhile {number}")["seq"] for number in range(10)]
    assert sent == list(range(10_001, 10_011))
    eventually(
        lambda: server.rows("SELECT floor FROM conversations WHERE id = 1") == [(9_900,)],
        "the general chat is trimmed",
        60,
    )
    assert server.rows("SELECT count(*), min(seq) FROM messages") == [(110, 9_901)]
    assert server.rows("SELECT count(*), min(seq), max(seq) FROM retired_keys") == [(9_900, 1, 9_900)]
    # The heartbeat sends the new floor to every page.
    eventually(
        lambda: socket.payloads("heads")[-1]["conversations"]["general"]["floor"] == 9_900,
        "the heartbeat has the new floor",
    )


def test_commands_report_a_missing_database(tmp_path: Path) -> None:
    app = create_app(Settings(data_dir=tmp_path / "data", database_url="", log_level="ERROR"))
    for command in (("cleanup", "--yes"), ("users", "ban", "ana"), ("setup-link",)):
        done = app.test_cli_runner().invoke(args=command)
        assert done.exit_code == 1
        assert "flask db upgrade" in done.output
        assert isinstance(done.exception, SystemExit)
