"""Backups while people chat, and their restoration."""

import hashlib
import json
import os
import signal
import stat
import tarfile
import threading
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest

from tests.harness import examples
from tests.harness.people import NewPerson, Person
from tests.harness.rows import read_all_rows
from tests.harness.servers import NewServer, Postgres, Server, find_postgres_binaries
from tests.harness.stored_files import attach, file_store, store_content
from tests.harness.waiting import eventually

PICTURE = b"a picture"

NewEmptyServer = Callable[[], Server]


@pytest.fixture(params=["sqlite", "postgresql"])
def new_empty_server(request: pytest.FixtureRequest, new_server: NewServer) -> NewEmptyServer:
    """Create servers without data, on each of the two databases. They are not started."""
    if request.param == "sqlite":
        return new_server
    postgres: Postgres = request.getfixturevalue("postgres")
    programs = find_postgres_binaries("nobody" if os.getuid() == 0 else None)
    path = f"{programs}:{os.environ['PATH']}"
    return lambda: new_server(database_url=postgres.create_database(), PATH=path)


def fill(server: Server, new_person: NewPerson) -> tuple[Person, str]:
    """Create people, messages with all that belongs to them, a room and an archive. Return ana and her epoch."""
    ana, bob, room = examples.fill(server, new_person)
    socket = bob.sockets[0]
    for number in range(5):
        socket.post(f"@ana message {number}")
        socket.post(f"in the room {number}", room)
    socket.call("react", {"conversation": "general", "seq": 5, "reaction": "👍", "on": True})
    attach(server, "general", 5, PICTURE, name="picture.png", media_type="image/png", kind="image")
    (server.data_dir / "assistants.toml").write_text('[[assistant]]\nname = "helper"\ntitle = "Helper"\n')
    return ana, ana.connect().join()["epoch"]


def test_a_backup_made_while_people_chat_has_every_row_and_file(
    new_empty_server: NewEmptyServer, new_person: NewPerson, tmp_path: Path
) -> None:
    server = new_empty_server().start(CHATAPP_GENERAL_KEEP_LAST="0")
    ana, epoch = fill(server, new_person)
    socket, is_over = ana.connect(), threading.Event()
    socket.call("delete_message", {"conversation": "general", "seq": socket.post("a mistake")["seq"]})
    server.execute("UPDATE deletions SET deleted_at = '2999-01-01 00:00:00'")
    acknowledged: list[int] = []

    def chat() -> None:
        while not is_over.is_set():
            acknowledged.append(socket.post("meanwhile")["seq"])

    chatting = threading.Thread(target=chat)
    chatting.start()
    eventually(lambda: len(acknowledged) > 5, "people chat")
    before = len(acknowledged)
    assert "MB" in server.flask("backup", str(tmp_path / "while-chatting.tar"))
    is_over.set()
    chatting.join()
    assert "MB" in server.flask("backup", str(tmp_path / "backup.tar"))
    # What can still be restored for a moment is in no backup.
    expected = read_all_rows(server) | {"deletions": []}
    server.terminate()
    assert stat.S_IMODE((tmp_path / "backup.tar").stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.glob("*")) == ["backup.tar", "while-chatting.tar"]

    copy = new_empty_server()
    assert "Restored" in copy.flask("restore", str(tmp_path / "while-chatting.tar"))
    assert copy.flask("check") == "The database is consistent.\n"
    restored = [row[0] for row in copy.rows("SELECT seq FROM messages WHERE content = 'meanwhile' ORDER BY seq")]
    assert restored == acknowledged[: len(restored)]
    assert len(restored) >= before

    assert "Use --force" in copy.flask("restore", str(tmp_path / "backup.tar"), expect=1)
    copy.flask("restore", str(tmp_path / "backup.tar"), "--force")
    assert read_all_rows(copy) == expected
    for name in ("secret_key", "assistants.toml"):
        assert (copy.data_dir / name).read_bytes() == (server.data_dir / name).read_bytes()
    assert copy.flask("archive", "list") == server.flask("archive", "list") != ""
    assert not list(copy.data_dir.glob("rest*"))
    assert {stat.S_IMODE(path.stat().st_mode) & 0o077 for path in copy.data_dir.rglob("*")} == {0}

    # The same cookies are valid, and clients load the last page.
    copy.start(CHATAPP_GENERAL_KEEP_LAST="0")
    ack = ana.on_server(copy).connect().join(after=5, epoch=epoch)
    assert ack["reset"]
    assert ack["epoch"] != epoch
    assert "A server uses the data folder" in copy.flask("restore", str(tmp_path / "backup.tar"), "--force", expect=1)
    # A backup of a restored installation can be restored too.
    copy.flask("backup", str(tmp_path / "second.tar"))
    copy.terminate()
    copy.flask("restore", str(tmp_path / "second.tar"), "--force")
    assert read_all_rows(copy)["messages"] == expected["messages"]


@pytest.mark.parametrize(
    ("new_empty_server", "failpoint"),
    [
        ("sqlite", "restore-checked"),
        ("sqlite", "restore-begun"),
        ("sqlite", "restore-cleared"),
        ("sqlite", "restore-moved"),
        ("postgresql", "restore-loaded"),
    ],
    indirect=["new_empty_server"],
)
def test_a_restore_that_is_interrupted_leaves_the_old_or_the_new_state(
    new_empty_server: NewEmptyServer, new_person: NewPerson, tmp_path: Path, failpoint: str
) -> None:
    server = new_empty_server().start(CHATAPP_GENERAL_KEEP_LAST="0")
    ana, _ = fill(server, new_person)
    backup = str(tmp_path / "backup.tar")
    server.flask("backup", backup)
    in_backup = read_all_rows(server)
    ana.connect().post("after the backup")
    server.terminate()
    now = read_all_rows(server)

    server.flask("restore", backup, "--force", expect=-signal.SIGKILL, CHATAPP_FAILPOINT=failpoint)

    server.flask("check")
    assert read_all_rows(server) == (now if failpoint == "restore-checked" else in_backup)
    assert "3 messages" in server.flask("archive", "list")
    assert not (server.data_dir / "restoring").exists()
    server.flask("restore", backup, "--force")
    assert read_all_rows(server) == in_backup


def test_a_restore_brings_back_the_files_of_messages_and_no_others(
    new_empty_server: NewEmptyServer, new_person: NewPerson, tmp_path: Path
) -> None:
    server = new_empty_server().start(CHATAPP_GENERAL_KEEP_LAST="0")
    fill(server, new_person)
    (server.data_dir / "files" / "sweep.lock").touch()
    backup, digest = str(tmp_path / "backup.tar"), hashlib.sha256(PICTURE).hexdigest()
    assert "lacks" not in server.flask("backup", backup)
    with tarfile.open(backup) as tar:
        assert [name for name in tar.getnames() if name.startswith("files")] == [f"files/{digest[:2]}/{digest}"]
    server.terminate()
    assert file_store(server).delete(digest)
    later = store_content(server, b"stored after the backup")
    (server.data_dir / "uploads").mkdir(exist_ok=True)
    (server.data_dir / "uploads" / "left").touch()

    server.flask("restore", backup, "--force")

    assert [found for found, _ in file_store(server).list_digests()] == [digest] != [later]
    file = file_store(server).open(digest)
    assert file.read(0, 1_000) == PICTURE
    file.close()
    assert not (server.data_dir / "uploads" / "left").exists()
    file_store(server).delete(digest)
    assert "lacks files of messages that are not stored: 1." in server.flask("backup", str(tmp_path / "second.tar"))


def test_damaged_and_foreign_backups_change_nothing(
    new_server: NewServer, new_person: NewPerson, tmp_path: Path
) -> None:
    server = new_server(CHATAPP_GENERAL_KEEP_LAST="0").start()
    fill(server, new_person)
    good = tmp_path / "backup.tar"
    server.flask("backup", str(good))
    assert "exists" in server.flask("backup", str(good), expect=1)
    assert "No such file" in server.flask("backup", str(tmp_path / "missing" / "backup.tar"), expect=1)
    server.terminate()
    before = read_all_rows(server)
    content = good.read_bytes()
    with tarfile.open(good) as tar:
        offset = tar.getmember("database.sqlite3").offset_data
    foreign = tmp_path / "foreign.tar"
    with tarfile.open(foreign, "w") as tar:
        tar.add(good, "../chatapp.sqlite3")
    sparse = tmp_path / "sparse.tar"
    with tarfile.open(sparse, "w", format=tarfile.PAX_FORMAT) as tar:
        info = tarfile.TarInfo("assistants.toml")
        info.pax_headers = {"GNU.sparse.size": "1000000000000", "GNU.sparse.map": "0,0"}
        tar.addfile(info)
    damaged = {
        "half": (content[: len(content) // 2], "is no complete backup"),
        "changed": (content[: offset + 5_000] + b"?" + content[offset + 5_001 :], "is damaged: database.sqlite3"),
        "text": (b"no tar file", "is no complete backup"),
        "sparse": (sparse.read_bytes(), "it has “assistants.toml”"),
        "foreign": (foreign.read_bytes(), "it has “../chatapp.sqlite3”"),
    }
    for name, (bad, reason) in damaged.items():
        path = tmp_path / f"{name}.tar"
        path.write_bytes(bad)
        assert reason in server.flask("restore", str(path), "--force", expect=1)
    assert read_all_rows(server) == before
    assert not list(server.data_dir.glob("rest*"))


def test_pg_dump_must_exist_and_fit_the_server_and_a_restore_runs_only_sql(
    new_server: NewServer, postgres: Postgres, tmp_path: Path
) -> None:
    server = new_server(database_url=postgres.create_database(), PATH=str(tmp_path))
    backup = str(tmp_path / "backup.tar")
    assert "pg_dump is not installed" in server.flask("backup", backup, expect=1)
    program = tmp_path / "pg_dump"
    program.write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6.1'\n")
    program.chmod(0o755)
    assert "pg_dump has version 9, and the server has version" in server.flask("backup", backup, expect=1)
    assert not Path(backup).exists()

    programs = find_postgres_binaries("nobody" if os.getuid() == 0 else None)
    server.flask("backup", backup, PATH=str(programs))
    before = read_all_rows(server)
    victim = tmp_path / "victim"
    for attack, reason in (
        (b"\\! touch %s\n", "syntax error"),
        # A scanner of its lines would take it for data.
        (b"/*\nCOPY x FROM stdin;\n*/\n\\! touch %s\n\\.\n", "cannot be restored"),
        (b"CREATE TABLE too_much (x integer);\nSELECT 1 / 0;\n", "division by zero"),
    ):
        hostile = tmp_path / "hostile.tar"
        change_member(Path(backup), hostile, "database.sql", attack.replace(b"%s", str(victim).encode()))
        assert reason in server.flask("restore", str(hostile), expect=1)
        assert not victim.exists()
        assert read_all_rows(server) == before
    assert not list(server.data_dir.glob("rest*"))


def change_member(source: Path, target: Path, name: str, prefix: bytes) -> None:
    """Copy a backup, with more at the beginning of a file, and with its checksum."""
    with tarfile.open(source) as old, tarfile.open(target, "w") as new:
        contents = {member.name: old.extractfile(member).read() for member in old}  # type: ignore[union-attr]
        manifest = json.loads(contents["manifest.json"])
        changed = contents[name] = prefix + contents[name]
        manifest["files"][name] = {"size": len(changed), "sha256": hashlib.sha256(changed).hexdigest()}
        contents["manifest.json"] = json.dumps(manifest).encode()
        for member, content in contents.items():
            info = tarfile.TarInfo(member)
            info.size = len(content)
            new.addfile(info, BytesIO(content))
