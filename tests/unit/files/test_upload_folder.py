"""The folder of uploads: what is in it survives, locks exclude, and nothing stays for ever."""

import os
import time
from pathlib import Path

import pytest

from chatapp.files.upload_folder import COMPLETE_SECONDS, UNFINISHED_SECONDS, Upload, UploadFolder
from tests.harness.files import TEXT_FILE

KEY = bytes(range(32))


@pytest.fixture(params=[None, KEY], ids=["plain", "encrypted"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> UploadFolder:
    return UploadFolder(tmp_path / "uploads", request.param)


def begin(folder: UploadFolder, content: bytes = b"", *, user_id: int = 7) -> Upload:
    upload = folder.create(user_id, "notes.txt", 10)
    opened = folder.open(upload.id)
    opened.write(content)
    opened.close()
    return upload


def complete(folder: UploadFolder, *, user_id: int = 7) -> Upload:
    upload = begin(folder, b"0123456789", user_id=user_id)
    opened = folder.open(upload.id)
    opened.complete(TEXT_FILE)
    opened.close()
    return upload


def age(folder: UploadFolder, seconds: float) -> None:
    before = time.time() - seconds - 1
    for path in folder.path.iterdir():
        os.utime(path, (before, before))


def test_an_upload_continues_after_the_last_byte_that_has_arrived(folder: UploadFolder) -> None:
    upload = begin(folder, b"01234")
    found = folder.find(upload.id)
    assert found is not None
    assert (found.user_id, found.name, found.size, found.offset, found.missing_bytes) == (7, "notes.txt", 10, 5, 5)
    opened = folder.open(upload.id)
    opened.write(b"56789")
    opened.sync()
    assert opened.path.read_bytes() == b"0123456789"
    opened.close()


def test_a_complete_upload_has_its_file_and_no_bytes(folder: UploadFolder) -> None:
    upload = complete(folder)
    found = folder.find(upload.id)
    assert found is not None
    assert (found.file, found.offset) == (TEXT_FILE, 10)
    assert [path.name for path in folder.path.iterdir()] == [f"{upload.id}.json"]
    with pytest.raises(FileNotFoundError):
        folder.open(upload.id)
    assert folder.list_kept_digests() == {TEXT_FILE.digest}


def test_two_requests_do_not_add_bytes_at_the_same_time(folder: UploadFolder) -> None:
    upload = begin(folder)
    opened = folder.open(upload.id)
    with pytest.raises(BlockingIOError):
        folder.open(upload.id)
    with pytest.raises(BlockingIOError):
        folder.delete(upload.id)
    opened.close()
    folder.open(upload.id).close()


@pytest.mark.parametrize("upload_id", ["", "..", "7-", "../secret_key", "7-" + "x" * 32, "7-" + "a" * 32, "7/" * 9])
def test_what_is_no_id_finds_nothing(folder: UploadFolder, upload_id: str) -> None:
    begin(folder)
    assert folder.find(upload_id) is None
    assert folder.use(upload_id) is None
    with pytest.raises(FileNotFoundError):
        folder.open(upload_id)
    folder.delete(upload_id)
    assert len(list(folder.list_of(7))) == 1


def test_only_the_own_uploads_are_listed(folder: UploadFolder) -> None:
    own, finished = begin(folder), complete(folder)
    other = begin(folder, user_id=77)
    assert {each.id for each in folder.list_of(7)} == {own.id, finished.id}
    assert {each.id for each in folder.list_unfinished()} == {own.id, other.id}


def test_nobody_else_may_read_uploads(folder: UploadFolder) -> None:
    complete(folder)
    begin(folder)
    modes = {path.stat().st_mode & 0o777 for path in (folder.path, *folder.path.iterdir())}
    assert modes == {0o600, 0o700}


def test_a_removed_upload_leaves_nothing(folder: UploadFolder) -> None:
    for upload in (begin(folder), complete(folder)):
        folder.delete(upload.id)
        assert folder.find(upload.id) is None
    assert not list(folder.path.iterdir())


def test_uploads_expire_after_the_documented_times(folder: UploadFolder) -> None:
    unfinished, finished = begin(folder, b"012"), complete(folder)
    assert folder.delete_expired() == 0
    age(folder, UNFINISHED_SECONDS)
    assert folder.delete_expired() == 1
    assert (folder.find(unfinished.id), folder.find(finished.id) is None) == (None, False)
    age(folder, COMPLETE_SECONDS)
    assert folder.delete_expired() == 1
    assert not list(folder.path.iterdir())


def test_use_and_progress_prolong_an_upload(folder: UploadFolder) -> None:
    unfinished, finished = begin(folder), complete(folder)
    age(folder, COMPLETE_SECONDS)
    used = folder.use(finished.id)
    assert used is not None
    assert used.file == TEXT_FILE
    opened = folder.open(unfinished.id)
    opened.write(b"0")
    opened.close()
    assert folder.delete_expired() == 0


def test_an_upload_that_receives_bytes_does_not_expire(folder: UploadFolder) -> None:
    upload = begin(folder)
    opened = folder.open(upload.id)
    age(folder, UNFINISHED_SECONDS)
    assert folder.delete_expired() == 0
    opened.close()
    assert folder.find(upload.id) is not None


def test_what_a_crash_leaves_is_removed_after_a_day(folder: UploadFolder) -> None:
    kept = complete(folder)
    folder.bytes_path(kept.id).write_bytes(b"0123456789")  # Killed before the bytes were removed.
    lost = begin(folder)
    folder.description_path(lost.id).unlink()  # Killed before it was described.
    folder.work_path(kept.id).mkdir()
    (folder.work_path(kept.id) / "small").write_bytes(b"x")
    (folder.path / f"{kept.id}.json.123").write_bytes(b"{")
    damaged = begin(folder)
    folder.description_path(damaged.id).write_bytes(b"{")
    folder.delete_expired()
    assert len(list(folder.path.iterdir())) == 7
    age(folder, UNFINISHED_SECONDS)
    folder.delete_expired()
    assert [path.name for path in folder.path.iterdir()] == [f"{kept.id}.json"]


def test_an_upload_whose_bytes_are_left_is_complete(folder: UploadFolder) -> None:
    upload = complete(folder)
    folder.bytes_path(upload.id).write_bytes(b"0123456789")
    found = folder.find(upload.id)
    assert found is not None
    assert found.file == TEXT_FILE
    with pytest.raises(FileNotFoundError):
        folder.open(upload.id)
    assert not list(folder.list_unfinished())
