"""Uploads: the bytes that arrive become one file, whatever happens between."""

import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatapp.concurrency.native import EXTENSION as NATIVE_POOLS
from chatapp.concurrency.native import NativePools
from chatapp.config import EXTENSION as SETTINGS
from chatapp.config import Settings
from chatapp.errors import (
    Busy,
    ChatError,
    FileTooLarge,
    Invalid,
    InvalidUpload,
    Locked,
    NotFound,
    OffsetConflict,
    QuotaExceeded,
    RateLimited,
    StorageFull,
    Unavailable,
)
from chatapp.files import uploads
from chatapp.files.store import current_store
from chatapp.files.upload_folder import Upload
from chatapp.files.uploads import (
    append,
    create_upload,
    delete_upload,
    find_complete,
    find_upload,
    init_files,
    list_kept_digests,
    resume,
)
from chatapp.limits.rates import init_rate_limits
from tests.harness.stored_files import read

USER, OTHER = 7, 77
FAILPOINTS = ("upload-received", "upload-stored", "upload-complete")
PIECE = 16


class Killed(BaseException):
    """The process ends here."""


class Source:
    """The bytes that a client sends; with `drops` the connection breaks after them."""

    def __init__(self, content: bytes, *, drops: bool = False) -> None:
        self._left = content
        self._drops = drops

    def read(self, size: int) -> bytes:
        part, self._left = self._left[:size], self._left[size:]
        if not part and self._drops:
            raise ConnectionResetError
        return part


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    """An application with nothing but files."""
    monkeypatch.setattr(uploads, "READ_BYTES", PIECE)
    monkeypatch.setattr(uploads, "WRITE_BYTES", 2 * PIECE)
    monkeypatch.setattr(uploads, "SYNC_BYTES", 5 * PIECE)
    app = Flask("uploads")
    app.extensions[SETTINGS] = configured = Settings(
        data_dir=tmp_path, database_url="", max_file_mb=1, free_disk_mb=0, uploads_per_minute=0
    )
    app.extensions[NATIVE_POOLS] = NativePools.create(
        read_threads=1, search_threads=1, password_threads=1, file_threads=2, max_queued=10
    )
    init_rate_limits(app, configured)
    init_files(app, configured)
    with app.app_context():
        yield app


def configure(app: Flask, **changes: int) -> None:
    app.extensions[SETTINGS] = app.extensions[SETTINGS].model_copy(update=changes)


def send(upload: Upload, content: bytes, offset: int = 0) -> int:
    return append(upload.id, offset, Source(content).read)


def stored(digest: str) -> bytes:
    return read(current_store(), digest)


def upload_file(content: bytes, *, user_id: int = USER, name: str = "notes.txt") -> Upload:
    upload = create_upload(user_id, name, len(content))
    if content:
        send(upload, content)
    return find_upload(upload.id)


STEPS = st.one_of(
    st.tuples(st.sampled_from(["send", "drop"]), st.integers(0, 80)),
    st.tuples(st.just("jump"), st.integers(1, 200)),
    st.tuples(st.just("head"), st.just(0)),
    st.tuples(st.just("kill"), st.integers(0, 2)),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200), steps=st.lists(STEPS, max_size=12))
def test_any_split_of_the_bytes_gives_the_same_file(app: Flask, content: bytes, steps: list[tuple[str, int]]) -> None:
    upload = create_upload(USER, "data.bin", len(content))
    with pytest.MonkeyPatch.context() as patch:
        for step, number in steps:
            offset = find_upload(upload.id).offset
            if step in {"send", "drop"}:
                source = Source(content[offset : offset + number], drops=step == "drop")
                with suppress(ConnectionResetError, Killed):
                    assert append(upload.id, offset, source.read) == min(offset + number, len(content))
                assert find_upload(upload.id).offset == min(offset + number, len(content))
            elif step == "jump":
                with pytest.raises(OffsetConflict):
                    append(upload.id, offset + number, Source(b"x" * 300).read)
            elif step == "head":
                with suppress(Killed):
                    assert resume(upload.id).offset == offset
            else:
                kill_at(patch, FAILPOINTS[number])
        with suppress(Killed):
            send(upload, content[find_upload(upload.id).offset :], find_upload(upload.id).offset)
    file = resume(upload.id).file
    assert file is not None
    assert file.digest == hashlib.sha256(content).hexdigest()
    assert (file.size, stored(file.digest)) == (len(content), content)


def kill_at(patch: pytest.MonkeyPatch, place: str) -> None:
    """End the next upload at a failpoint, once."""
    killed: list[str] = []

    def kill(name: str) -> None:
        if name == place and not killed:
            killed.append(name)
            raise Killed

    patch.setattr("chatapp.files.uploads.failpoint", kill)
    patch.setattr("chatapp.files.upload_folder.failpoint", kill)


@pytest.mark.parametrize("place", FAILPOINTS)
@pytest.mark.parametrize("repeats_with_head", [True, False])
def test_a_crash_between_two_steps_is_repaired_by_the_next_request(
    app: Flask, monkeypatch: pytest.MonkeyPatch, place: str, repeats_with_head: bool
) -> None:
    upload = create_upload(USER, "notes.txt", 5)
    kill_at(monkeypatch, place)
    with pytest.raises(Killed):
        send(upload, b"hello")
    if repeats_with_head:
        assert resume(upload.id).offset == 5
    else:
        assert send(upload, b"", 5) == 5
    (file,) = find_complete(USER, [upload.id], [""])
    assert (file.name, file.kind, file.size) == ("notes.txt", "text", 5)
    assert stored(file.digest) == b"hello"


def test_an_empty_file_is_complete_at_once(app: Flask) -> None:
    upload = create_upload(USER, "empty", 0)
    assert upload.file is not None
    assert (upload.file.size, stored(upload.file.digest)) == (0, b"")


def test_the_same_content_is_stored_once(app: Flask) -> None:
    first, second = upload_file(b"hello"), upload_file(b"hello", name="copy.txt")
    assert first.file is not None
    assert second.file is not None
    assert (first.file.digest, second.file.name) == (second.file.digest, "copy.txt")
    assert len(list(current_store().list_digests())) == 1
    assert list_kept_digests() == {first.file.digest}


def test_a_message_gets_the_files_in_its_order_with_their_descriptions(app: Flask) -> None:
    first, second = upload_file(b"one", name="one.txt"), upload_file(b"two", name="two.txt")
    files = find_complete(USER, [second.id, first.id], ["  The\nsecond\0 ", ""])
    assert [(file.name, file.alt) for file in files] == [("two.txt", "The second"), ("one.txt", "")]


def test_a_message_has_only_complete_files_of_its_sender(app: Flask) -> None:
    complete, unfinished = upload_file(b"one"), create_upload(USER, "two.txt", 3)
    send(unfinished, b"tw")
    other = upload_file(b"three", user_id=OTHER)
    for upload_id in (unfinished.id, other.id, "7-" + "a" * 32, "", "../secret_key"):
        with pytest.raises(InvalidUpload):
            find_complete(USER, [complete.id, upload_id], ["", ""])


def test_a_message_has_a_limited_number_of_files(app: Flask) -> None:
    configure(app, max_message_files=2)
    upload = upload_file(b"one")
    assert len(find_complete(USER, [upload.id] * 2, [""] * 2)) == 2
    with pytest.raises(Invalid):
        find_complete(USER, [upload.id] * 3, [""] * 3)
    with pytest.raises(Invalid):
        find_complete(USER, [upload.id], ["x" * 1_001])


def test_a_file_is_not_larger_than_the_limit(app: Flask) -> None:
    assert create_upload(USER, "large", 1_000_000).size == 1_000_000
    with pytest.raises(FileTooLarge):
        create_upload(USER, "too large", 1_000_001)


@pytest.mark.parametrize(("name", "size"), [("x" * 10_001, 1), ("x", -1)])
def test_an_upload_has_a_size_and_a_name(app: Flask, name: str, size: int) -> None:
    with pytest.raises(Invalid):
        create_upload(USER, name, size)


def test_more_bytes_than_the_size_are_not_read(app: Flask) -> None:
    upload = create_upload(USER, "notes.txt", 5)
    source = Source(b"hello, world")
    assert append(upload.id, 0, source.read) == 5
    assert source.read(99) == b", world"


def test_a_person_has_a_limited_number_of_unfinished_uploads(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = [create_upload(USER, "notes.txt", 5) for _ in range(uploads.MAX_UNFINISHED)]
    with pytest.raises(RateLimited):
        create_upload(USER, "notes.txt", 5)
    create_upload(OTHER, "notes.txt", 5)
    send(begun[0], b"hello")
    last = create_upload(USER, "notes.txt", 5)
    # Those that have been left are no obstacle.
    monkeypatch.setattr(uploads, "IDLE_SECONDS", -60)
    create_upload(USER, "notes.txt", 5)
    for left in (begun[1], last):
        with pytest.raises(NotFound):
            find_upload(left.id)


def test_the_limits_of_one_creation_are_checked_at_a_time(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(app, all_files_mb=1)
    checking: list[int] = []
    seen: list[int] = []

    def check_slowly(_settings: Settings, size: int) -> None:
        checking.append(size)
        time.sleep(0.01)  # Others begin meanwhile.
        seen.append(len(checking))
        checking.pop()

    monkeypatch.setattr(uploads, "check_space", check_slowly)
    folder = app.extensions[uploads.EXTENSION].folder

    def create(user_id: int) -> None:
        with app.app_context(), suppress(RateLimited, QuotaExceeded):
            create_upload(user_id, "notes.txt", uploads.MB // 5)

    threads = [threading.Thread(target=create, args=(user_id,)) for user_id in [USER, OTHER] * 5]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(seen) == {1}
    assert len(list(folder.list_unfinished())) == 5


def test_uploads_in_use_make_no_room_for_others(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = [create_upload(USER, "notes.txt", 5) for _ in range(uploads.MAX_UNFINISHED)]
    monkeypatch.setattr(uploads, "IDLE_SECONDS", -60)
    folder = app.extensions[uploads.EXTENSION].folder
    opened = [folder.open(upload.id) for upload in begun]
    with pytest.raises(RateLimited):
        create_upload(USER, "notes.txt", 5)
    opened.pop().close()
    assert create_upload(USER, "notes.txt", 5).offset == 0
    assert [find_upload(upload.id).id for upload in begun[:-1]] == [upload.id for upload in begun[:-1]]
    for each in opened:
        each.close()


def test_uploads_leave_space_on_the_disk(app: Flask) -> None:
    upload = create_upload(USER, "notes.txt", 5)
    configure(app, free_disk_mb=10**9)
    with pytest.raises(StorageFull):
        create_upload(USER, "notes.txt", 5)
    with pytest.raises(StorageFull):
        send(upload, b"hello")
    configure(app, free_disk_mb=0)
    assert send(upload, b"hello") == 5


def test_the_files_of_an_installation_have_a_limit(app: Flask) -> None:
    configure(app, all_files_mb=1)
    create_upload(USER, "half", 600_000)
    with pytest.raises(QuotaExceeded):
        create_upload(OTHER, "half", 600_000)


def test_a_full_disk_keeps_what_has_arrived(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    upload = create_upload(USER, "notes.txt", 5)
    full = OSError(28, "No space left on device")
    with monkeypatch.context() as patch:
        patch.setattr(current_store(), "put", lambda *_: (_ for _ in ()).throw(full))
        with pytest.raises(StorageFull):
            send(upload, b"hello")
    assert find_upload(upload.id).offset == 5
    assert resume(upload.id).file is not None


@pytest.mark.parametrize("error", [Busy("Many files are uploaded."), Unavailable("The store is unavailable.")])
def test_a_file_that_cannot_be_inspected_now_is_later(
    app: Flask, monkeypatch: pytest.MonkeyPatch, error: ChatError
) -> None:
    upload = create_upload(USER, "notes.txt", 5)
    with monkeypatch.context() as patch:
        patch.setattr(uploads, "inspect", lambda *_, **_options: (_ for _ in ()).throw(error))
        with pytest.raises(type(error)):
            send(upload, b"hello")
    assert send(upload, b"", 5) == 5
    assert find_upload(upload.id).file is not None


def test_an_upload_can_be_removed_at_any_time(app: Flask) -> None:
    unfinished, complete = create_upload(USER, "notes.txt", 5), upload_file(b"hello")
    send(unfinished, b"he")
    for upload in (unfinished, complete):
        delete_upload(upload.id)
        for use in (delete_upload, find_upload, resume, lambda upload_id: append(upload_id, 0, Source(b"x").read)):
            with pytest.raises(NotFound):
                use(upload.id)


def test_a_newer_request_ends_the_one_before(app: Flask) -> None:
    upload = create_upload(USER, "notes.txt", 40)
    reading, broken = threading.Event(), threading.Event()
    outcomes: list[object] = []

    def read_from_a_client_that_is_gone(size: int) -> bytes:
        if reading.is_set():
            broken.wait()
            return b"x"
        reading.set()
        return b"x" * PIECE

    def receive() -> None:
        with app.app_context():
            try:
                outcomes.append(append(upload.id, 0, read_from_a_client_that_is_gone))
            except ChatError as error:
                outcomes.append(error)

    thread = threading.Thread(target=receive)
    thread.start()
    assert reading.wait(10)
    threading.Timer(0.05, broken.set).start()
    resumed = resume(upload.id)
    thread.join()
    assert [type(outcome) for outcome in outcomes] == [Locked]
    assert resumed.offset == PIECE + 1
    assert send(upload, b"y" * 40, resumed.offset) == 40
    assert find_upload(upload.id).file is not None
