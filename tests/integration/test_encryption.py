"""Encrypted data: conversion, an outage, backups, and that no file has the text of a message."""

import os
import signal
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from chatapp import sqlite
from chatapp.encryption.keys import DATABASE
from chatapp.models import OutgoingWebhook
from tests.harness.people import NewPerson, message_payload
from tests.harness.rows import read_all_rows
from tests.harness.servers import NewServer, Postgres, Server, find_postgres_binaries
from tests.harness.waiting import eventually

KEY = "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s="
OTHER_KEY = "b29vb29vb29vb29vb29vb29vb29vb29vb29vb29vb28="

TEXT = "marmalade"
"""A word of every message."""


def find_text(folder: Path) -> list[str]:
    """Return the files that have the text of a message."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return [path.name for path in files if TEXT.encode() in path.read_bytes()]


def use_key(server: Server, key: str = "") -> Server:
    """Set the key of the settings."""
    return server.configure(CHATAPP_DATABASE_KEY=key)


def read_files(folder: Path) -> dict[Path, bytes]:
    """Return the content of every file."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_an_encrypted_installation_loses_no_message_and_no_file_has_the_text_of_one(
    new_server: NewServer, new_person: NewPerson, tmp_path: Path
) -> None:
    server = new_server(CHATAPP_GENERAL_KEEP_LAST="0").start()
    data_dir, ana = server.data_dir, new_person(server, "ana")
    socket = ana.connect()
    epoch = socket.join()["epoch"]
    for number in range(3):
        socket.post(f"archived {TEXT} {number}")
    server.flask("cleanup", "--all", "--yes")
    socket.post(f"plain {TEXT}")
    server.terminate()
    assert find_text(data_dir)
    expected, archived = read_all_rows(server), server.flask("archive", "show", "general")
    assert "Set CHATAPP_DATABASE_KEY" in server.flask("encrypt-database", expect=1)

    use_key(server, KEY)
    assert "is not encrypted, but there is a key" in server.flask("check", expect=1)
    assert "Encrypted and compared" in server.flask("encrypt-database")
    assert find_text(data_dir) == []
    assert read_all_rows(server) == expected
    assert server.flask("archive", "show", "general") == archived

    # An outage, and a crash during it.
    server.start()
    assert "A server uses the data folder" in server.flask("decrypt-database", expect=1)
    socket = ana.connect()
    assert socket.join()["epoch"] == epoch, "for open pages, nothing has happened"
    with closing(sqlite.connect(data_dir / "chatapp.sqlite3", server.derive_key(DATABASE))) as other:
        other.execute("BEGIN IMMEDIATE")
        assert socket.call("send_message", message_payload(f"spooled {TEXT}"), timeout=15)["message"]["pending"]
        assert TEXT in server.flask("spool", "list")
        server.kill()
        assert find_text(data_dir) == []  # Reading the database in this process releases its lock.
    server.start()
    spooled = (f"spooled {TEXT}",)
    eventually(lambda: spooled in server.rows("SELECT content FROM messages"), "the spool is drained", timeout=30)
    assert server.flask("check") == "The database is consistent.\n"
    server.flask("cleanup", "--keep-last", "1", "--yes")
    backup = str(tmp_path / "backup.tar")
    server.flask("backup", backup)
    assert server.terminate() == 0
    assert find_text(tmp_path) == find_text(data_dir) == []
    expected, archived = read_all_rows(server), server.flask("archive", "show", "general")
    assert archived.count(TEXT) == 4

    copy = new_server(CHATAPP_GENERAL_KEEP_LAST="0")
    assert "it is encrypted: set CHATAPP_DATABASE_KEY" in copy.flask("restore", backup, expect=1)
    use_key(copy, KEY).flask("restore", backup)
    assert read_all_rows(copy) == expected
    assert copy.flask("archive", "show", "general") == archived
    assert find_text(copy.data_dir) == []


def test_a_missing_or_wrong_key_gives_one_line_and_changes_nothing(new_server: NewServer, tmp_path: Path) -> None:
    server = new_server()
    use_key(server, KEY).flask("encrypt-database")
    before = read_files(server.data_dir)
    for wrong, reason in [("", "are encrypted. Set CHATAPP_DATABASE_KEY"), (OTHER_KEY, "is not the key of")]:
        use_key(server, wrong)
        for command in (["check"], ["db", "upgrade"], ["decrypt-database"], ["backup", str(tmp_path / "other.tar")]):
            printed = server.flask(*command, expect=1)
            assert reason in printed
            assert len(printed.splitlines()) == 1
        server.launch()
        eventually(lambda: not server.is_running, "it has ended")
        assert reason in server.log().splitlines()[-1]
        assert read_files(server.data_dir) == before


def test_the_key_stays_as_long_as_files_are_in_a_bucket(new_server: NewServer, tmp_path: Path) -> None:
    server = new_server(
        CHATAPP_S3_ENDPOINT="http://127.0.0.1:9",
        CHATAPP_S3_BUCKET="files",
        CHATAPP_S3_ACCESS_KEY="id",
        CHATAPP_S3_SECRET_KEY="secret",
    )
    use_key(server, KEY).flask("encrypt-database")
    before = read_files(server.data_dir)
    (tmp_path / "key").write_text(OTHER_KEY)
    for command in (["decrypt-database"], ["encrypt-database", "--new-key-file", str(tmp_path / "key")]):
        assert "Files in the bucket are encrypted with the key" in server.flask(*command, expect=1)
        assert read_files(server.data_dir) == before
    server.flask("encrypt-database")


def test_the_key_is_replaced_and_removed_and_restored_backups_get_the_key_of_the_settings(
    new_server: NewServer, tmp_path: Path
) -> None:
    server = new_server()
    server.flask("users", "create", "ana", stdin="a long password 77\n")
    with Session(server.engine()) as session, session.begin():
        session.add(OutgoingWebhook(conversation_id=1, name="hook", url="http://a/", secret="whsec_text"))
    expected = read_all_rows(server)
    use_key(server, KEY).flask("encrypt-database")
    (tmp_path / "key").write_text(OTHER_KEY)
    server.flask("encrypt-database", "--new-key-file", str(tmp_path / "key"))
    assert read_all_rows(use_key(server, OTHER_KEY)) == expected
    server.flask("decrypt-database")
    assert read_all_rows(use_key(server)) == expected
    server.flask("backup", str(tmp_path / "plain.tar"))
    use_key(server, KEY).flask("restore", str(tmp_path / "plain.tar"), "--force")
    assert read_all_rows(server) == expected
    assert not sqlite.is_plain(server.data_dir / "chatapp.sqlite3")


@pytest.mark.parametrize("failpoint", ["restore-checked", "restore-begun"])
def test_an_interrupted_conversion_leaves_the_old_or_the_new_state(new_server: NewServer, failpoint: str) -> None:
    server = new_server()
    server.flask("check")  # Creates the secret key.
    before = read_all_rows(server)
    use_key(server, KEY).configure(CHATAPP_FAILPOINT=failpoint).flask("encrypt-database", expect=-signal.SIGKILL)
    use_key(server, "" if failpoint == "restore-checked" else KEY).configure(CHATAPP_FAILPOINT="")
    assert server.flask("check") == "The database is consistent.\n"
    assert read_all_rows(server) == before
    assert not (server.data_dir / "restoring").exists()


def test_on_postgresql_the_files_and_backups_are_encrypted(
    new_server: NewServer, postgres: Postgres, new_person: NewPerson, tmp_path: Path
) -> None:
    programs = find_postgres_binaries("nobody" if os.getuid() == 0 else None)
    path = f"{programs}:{os.environ['PATH']}"
    server = new_server(database_url=postgres.create_database(), PATH=path, CHATAPP_GENERAL_KEEP_LAST="0").start()
    socket = new_person(server, "ana").connect()
    for number in range(3):
        socket.post(f"archived {TEXT} {number}")
    server.flask("cleanup", "--all", "--yes")
    socket.post(f"stored {TEXT}")
    server.terminate()
    archived, expected = server.flask("archive", "show", "general"), read_all_rows(server)

    assert "Encrypted and compared" in use_key(server, KEY).flask("encrypt-database")
    assert server.flask("archive", "show", "general") == archived
    assert "are encrypted. Set CHATAPP_DATABASE_KEY" in use_key(server).flask("check", expect=1)
    use_key(server, KEY).flask("backup", str(tmp_path / "backup.tar"))
    assert find_text(tmp_path) == []
    copy = new_server(database_url=postgres.create_database(), PATH=path)
    use_key(copy, KEY).configure(CHATAPP_FAILPOINT="restore-begun")
    copy.flask("restore", str(tmp_path / "backup.tar"), expect=-signal.SIGKILL)
    assert (copy.data_dir / "restoring" / "database.sql").exists()
    assert find_text(copy.data_dir) == [], "also the statements that wait to be run are encrypted"
    copy.configure(CHATAPP_FAILPOINT="")
    assert copy.flask("archive", "show", "general") == archived
    assert read_all_rows(copy) == expected
