"""The sweep removes files that nothing refers to, and nothing else; the check finds those that are missing."""

import errno
import json
import os
import time
import uuid
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest
import sqlalchemy as sql
from flask import Flask

from chatapp.accounts.service import create_owner
from chatapp.actors import Actor
from chatapp.backup.lock import SWEEP_LOCK
from chatapp.config import current_settings
from chatapp.conversations.avatars import change_avatar, change_own_avatar
from chatapp.conversations.refs import GENERAL, room_ref
from chatapp.encryption.keys import SPOOL
from chatapp.errors import Conflict
from chatapp.file_locks import try_lock
from chatapp.files import sweep as sweeping
from chatapp.files.attached import AttachedFile
from chatapp.files.checking import find_file_problems
from chatapp.files.store import current_store
from chatapp.files.sweep import INTERVAL_SECONDS, MARKS, Swept, sweep, sweep_if_due
from chatapp.files.uploads import append, create_upload, delete_upload, find_complete
from chatapp.models import Deletion, now
from chatapp.rooms.service import create_with_members
from chatapp.schedule.service import delete_scheduled, schedule
from chatapp.storage import write
from chatapp.storage.spool import Spool
from chatapp.timeline import TimelineMessage, delete, post, undelete
from chatapp.timeline.posted_files import PostedFiles
from tests.harness.files import PHOTO
from tests.harness.people import NewPerson
from tests.harness.servers import Server
from tests.harness.stored_files import attach, file_store, store_content


@pytest.fixture
def ana(app: Flask) -> Actor:
    """The owner of `app`."""
    return Actor(create_owner("ana", "Ana", "a good password"))


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the second sweep remove what the first one has marked."""
    monkeypatch.setattr(sweeping, "MARKED_SECONDS", 0.0)


def store(content: bytes, *variants: str) -> AttachedFile:
    """Store a file."""
    source = current_settings().data_dir / "source"
    source.write_bytes(content)
    digest = sha256(content).hexdigest()
    for variant in ("", *variants):
        current_store().put(source, digest, variant)
    source.unlink()
    width = 640 if variants else None
    return AttachedFile(
        digest=digest, name="notes.txt", media_type="text/plain", kind="text", size=len(content), width=width
    )


def post_file(actor: Actor, file: AttachedFile) -> TimelineMessage:
    return post(GENERAL, actor, content="", client_id=str(uuid.uuid4()), files=[file])


def is_stored(file: AttachedFile) -> bool:
    return current_store().exists(file.digest)


@pytest.mark.usefixtures("ana")
def test_an_unused_file_is_removed_after_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    file = store(b"unused", "small", "large")
    assert [sweep(), sweep()] == [Swept(0, 1)] * 2
    assert is_stored(file)
    later = time.time() + 3_601
    monkeypatch.setattr("chatapp.files.sweep.time.time", lambda: later)
    assert sweep() == Swept(1, 0)
    assert not is_stored(file)
    left = {path.name for path in current_settings().files_path.rglob("*") if path.is_file()}
    assert left == {SWEEP_LOCK, MARKS}


@pytest.mark.usefixtures("ana")
def test_servers_sweep_once_in_an_hour_however_often_they_start(monkeypatch: pytest.MonkeyPatch) -> None:
    store(b"unused")
    assert [sweep_if_due(), sweep_if_due()] == [Swept(0, 1), None]
    later = time.time() + INTERVAL_SECONDS + 1
    monkeypatch.setattr("chatapp.files.sweep.time.time", lambda: later)
    assert sweep_if_due() == Swept(1, 0)


def test_without_files_there_is_nothing_to_sweep(app: Flask) -> None:
    del app
    assert sweep() == Swept(0, 0)
    assert not current_settings().files_path.exists()


@pytest.mark.usefixtures("no_pause")
def test_a_file_stays_as_long_as_one_message_has_it(ana: Actor) -> None:
    file = store(b"shared")
    first, second = post_file(ana, file), post_file(ana, file)
    for message in (first, second):
        sweep()
        sweep()
        assert is_stored(file)
        delete(GENERAL, ana, message.seq or 0)
    sweep()
    assert is_stored(file)  # The deletion can be undone.
    undelete(GENERAL, ana, second.seq or 0)
    sweep()
    sweep()
    assert is_stored(file)
    delete(GENERAL, ana, second.seq or 0)
    write(lambda transaction: transaction.session.execute(sql.delete(Deletion)))
    assert [sweep(), sweep()] == [Swept(0, 1), Swept(1, 0)]
    assert not is_stored(file)


@pytest.mark.usefixtures("no_pause")
def test_an_upload_keeps_its_file_until_it_is_removed(ana: Actor) -> None:
    upload = create_upload(ana.user_id, "notes.txt", 5)
    pieces = iter([b"hello", b""])
    append(upload.id, 0, lambda _: next(pieces))
    (file,) = find_complete(ana.user_id, [upload.id], [""])
    assert [sweep(), sweep()] == [Swept(0, 0)] * 2
    delete_upload(upload.id)
    assert [sweep(), sweep()] == [Swept(0, 1), Swept(1, 0)]
    assert not is_stored(file)


@pytest.mark.usefixtures("no_pause")
def test_pictures_of_people_and_rooms_are_kept_and_checked(ana: Actor) -> None:
    own, of_room = store(b"a picture"), store(b"the picture of a room")
    room_id = create_with_members(ana, "Room", "", "private", [])
    change_own_avatar(ana, own.digest)
    change_avatar(ana, room_ref(room_id), of_room.digest)
    assert [sweep(), sweep()] == [Swept(0, 0)] * 2
    assert not list(find_file_problems(is_thorough=True))
    change_avatar(ana, room_ref(room_id), None)
    assert [sweep(), sweep()] == [Swept(0, 1), Swept(1, 0)]
    assert not is_stored(of_room)
    current_store().delete(own.digest)
    assert [problem.partition(" (")[0] for problem in find_file_problems()] == ["the picture of a person is not stored"]


@pytest.mark.usefixtures("no_pause")
def test_a_scheduled_message_keeps_its_files_until_it_is_deleted(ana: Actor) -> None:
    file = store(b"later")
    due_at, posted = now() + timedelta(days=1), PostedFiles((file,))
    scheduled = schedule(GENERAL, ana, content="", client_id=str(uuid.uuid4()), due_at=due_at, posted=posted)
    assert [sweep(), sweep()] == [Swept(0, 0)] * 2
    assert not list(find_file_problems(is_thorough=True))
    delete_scheduled(ana, scheduled.id)
    assert [sweep(), sweep()] == [Swept(0, 1), Swept(1, 0)]


@pytest.mark.usefixtures("no_pause", "ana")
def test_a_marked_file_that_is_stored_again_is_marked_anew() -> None:
    file = store(b"again")
    assert sweep() == Swept(0, 1)
    store(b"again")
    assert sweep() == Swept(0, 1)
    assert is_stored(file)
    assert sweep() == Swept(1, 0)


@pytest.mark.usefixtures("no_pause")
def test_a_marked_file_that_is_used_again_stays(ana: Actor) -> None:
    file = store(b"used again")
    assert sweep() == Swept(0, 1)
    post_file(ana, file)
    assert [sweep(), sweep()] == [Swept(0, 0)] * 2
    assert is_stored(file)


@pytest.mark.usefixtures("no_pause", "ana")
@pytest.mark.parametrize("is_rejected", [False, True])
def test_nothing_is_removed_while_a_spool_has_messages(is_rejected: bool) -> None:
    file, settings = store(b"spooled"), current_settings()
    sweep()
    spool = Spool(settings.data_dir / "spool-5999.sqlite3", settings.derive_key(SPOOL))
    spool.add([("client", 1, {"content": "", "files": [file.to_fields()]})])
    (entry,) = spool.list_pending()
    if is_rejected:
        spool.reject(entry.id, "test")
    with pytest.raises(Conflict, match="spool-5999"):
        sweep()
    spool.remove([entry.id])
    spool.close()
    assert sweep() == Swept(1, 0)


@pytest.mark.usefixtures("no_pause", "ana")
def test_nothing_is_removed_while_a_spool_cannot_be_read_or_another_process_sweeps() -> None:
    store(b"unused")
    sweep()
    path = current_settings().data_dir / "spool-5999.sqlite3"
    path.write_bytes(b"damaged" * 1_000)
    with pytest.raises(Conflict, match="cannot be read"):
        sweep()
    path.unlink()
    with (current_settings().files_path / SWEEP_LOCK).open() as lock:
        assert try_lock(lock.fileno())
        with pytest.raises(Conflict, match="Another process"):
            sweep()
    assert sweep() == Swept(1, 0)


@pytest.mark.usefixtures("no_pause", "ana")
@pytest.mark.parametrize("content", ["", "[1]", "{", json.dumps({"a": None})])
def test_damaged_marks_begin_anew(content: str) -> None:
    file = store(b"unused")
    (current_settings().files_path / MARKS).write_text(content)
    assert sweep() == Swept(0, 1)
    assert is_stored(file)
    assert sweep() == Swept(1, 0)


def fail(*_arguments: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.usefixtures("no_pause", "ana")
def test_on_a_full_disk_files_are_marked_and_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    before = store(b"marked before")
    assert sweep() == Swept(0, 1)
    with monkeypatch.context() as full:
        full.setattr(sweeping, "replace", fail)
        first = store(b"marked on a full disk")
        assert [sweep(), sweep()] == [Swept(1, 1), Swept(1, 0)]
        assert not is_stored(before)
        assert not is_stored(first)
        store(b"marked last")
        assert sweep() == Swept(0, 1)
    # The marks in memory are those that count, and are written.
    assert sweep() == Swept(1, 0)
    assert json.loads((current_settings().files_path / MARKS).read_bytes()) == {}


@pytest.mark.usefixtures("no_pause", "ana")
def test_marks_of_another_process_replace_those_that_could_not_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as full:
        full.setattr(sweeping, "replace", fail)
        store(b"unused")
        assert sweep() == Swept(0, 1)
    path = current_settings().files_path / MARKS
    path.write_text("{}")
    os.utime(path, times=(time.time() + 1, time.time() + 1))
    assert [sweep(), sweep()] == [Swept(0, 1), Swept(1, 0)]


@pytest.mark.usefixtures("no_pause")
def test_many_files_are_compared_in_several_queries(ana: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "BATCH_FILES", 3)
    files = [store(f"file {number}".encode()) for number in range(10)]
    for file in files[::2]:
        post_file(ana, file)
    assert [sweep(), sweep()] == [Swept(0, 5), Swept(5, 0)]
    assert [is_stored(file) for file in files] == [True, False] * 5


def test_the_check_finds_what_is_missing_or_damaged(ana: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatapp.files.checking.BATCH_FILES", 2)
    changed, unreadable = store(b"changed"), store(b"unreadable")
    half = store(b"half", "small")
    for file in (store(b"complete"), changed, unreadable, half, PHOTO, PHOTO):
        post_file(ana, file)
    _find(changed).write_bytes(b"something else")
    _find(unreadable).unlink()
    _find(unreadable, is_new=True).mkdir()
    problems = sorted(find_file_problems())
    assert [problem.partition(" (")[0] for problem in problems] == sorted(
        [
            "the file “my photo.jpg” is not stored",
            "the large thumbnail of the file “my photo.jpg” is not stored",
            "the small thumbnail of the file “my photo.jpg” is not stored",
            "the large thumbnail of the file “notes.txt” is not stored",
            f"the file “notes.txt” cannot be read: [Errno 21] Is a directory: '{_find(unreadable, is_new=True)}'",
        ]
    )
    assert any(problem.endswith(f"(references: 2; {PHOTO.digest})") for problem in problems)
    (damaged,) = set(find_file_problems(is_thorough=True)) - set(problems)
    assert damaged.startswith("the file “notes.txt” has another content")


def test_the_commands_say_what_they_found(server: Server, new_person: NewPerson) -> None:
    ana = new_person(server, "ana")
    socket = ana.connect()
    for name in ("kept", "lost"):
        attach(server, "general", socket.post(name)["seq"], name.encode(), name=name)
    store_content(server, b"unused")
    assert server.flask("files", "sweep") == ("Removed 0 unused files.\nUnused for less than 60 minutes: 1 files.\n")
    assert server.flask("files", "check", "--contents") == "The files of all messages are stored.\n"
    assert server.flask("check") == "The database is consistent.\n"
    file_store(server).delete(sha256(b"lost").hexdigest())
    for command in (("check",), ("files", "check")):
        output = server.flask(*command, expect=1)
        assert output.startswith("Problem: the file “lost” is not stored (references: 1; ")
    with (server.data_dir / "files" / SWEEP_LOCK).open() as lock:
        assert try_lock(lock.fileno())
        assert "Nothing was removed. Another process" in server.flask("files", "sweep", expect=1)


def _find(file: AttachedFile, *, is_new: bool = False) -> Path:
    path = current_settings().files_path / file.digest[:2] / file.digest
    assert is_new or path.exists()
    return path
