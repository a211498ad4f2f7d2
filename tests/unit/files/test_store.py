"""The store of files: what is stored is complete, durable and found by its digest; nothing else is left."""

import os
import time
from pathlib import Path

import pytest

from chatapp.encryption.streams import CHUNK_BYTES, MAGIC, Undecryptable
from chatapp.files.store import DRAFT_SECONDS, FileStore
from tests.harness.stored_files import put, read

KEY = b"k" * 32
KEYS = pytest.mark.parametrize("key", [None, KEY], ids=["plain", "encrypted"])


@KEYS
def test_a_stored_file_is_read_by_its_digest(tmp_path: Path, key: bytes | None) -> None:
    store, content = FileStore(tmp_path / "files", key), os.urandom(2 * CHUNK_BYTES + 5)
    digest = put(store, tmp_path, content)
    assert store.exists(digest)
    assert read(store, digest) == content
    file = store.open(digest)
    assert (file.size, file.read(CHUNK_BYTES - 1, 2)) == (len(content), content[CHUNK_BYTES - 1 : CHUNK_BYTES + 1])
    file.close()


@KEYS
def test_variants_belong_to_their_file_and_are_deleted_with_it(tmp_path: Path, key: bytes | None) -> None:
    store = FileStore(tmp_path / "files", key)
    digest = put(store, tmp_path, b"picture")
    (tmp_path / "thumbnail").write_bytes(b"small")
    store.put(tmp_path / "thumbnail", digest, "small")
    assert [store.exists(digest, variant) for variant in ("", "small", "large")] == [True, True, False]
    assert read(store, digest, "small") == b"small"
    assert [found for found, _ in store.list_digests()] == [digest]
    assert store.delete(digest)
    assert not store.delete(digest)
    assert list(store.list_digests()) == []
    assert [path for path in (tmp_path / "files").rglob("*") if path.is_file()] == []


@KEYS
def test_storing_the_same_content_again_renews_it_for_the_sweep(tmp_path: Path, key: bytes | None) -> None:
    store = FileStore(tmp_path / "files", key)
    digest = put(store, tmp_path, b"text")
    before = time.time() - 3_600
    for path in (tmp_path / "files").rglob(f"{digest}*"):
        os.utime(path, (before, before))
    marked_at = time.time() - 1_800
    put(store, tmp_path, b"text")
    assert not store.delete(digest, if_older_than=marked_at)
    assert read(store, digest) == b"text"
    assert store.delete(digest, if_older_than=time.time() + 1)


def test_an_old_upload_counts_as_new_once_it_is_stored(tmp_path: Path) -> None:
    store, source = FileStore(tmp_path / "files", None), tmp_path / "source"
    source.write_bytes(b"text")
    os.utime(source, (1_000_000, 1_000_000))
    store.put(source, "a" * 64)
    assert not store.delete("a" * 64, if_older_than=time.time() - 60)


def test_an_encrypted_file_does_not_show_its_content(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "files", KEY)
    digest = put(store, tmp_path, b"a secret text " * 10_000)
    (path,) = (path for path in (tmp_path / "files").rglob("*") if path.is_file())
    assert path.name == f"{digest}.enc"
    assert b"secret" not in path.read_bytes()


def test_files_from_before_the_key_are_read_and_those_with_a_lost_key_are_refused(tmp_path: Path) -> None:
    plain, keyed = FileStore(tmp_path / "files", None), FileStore(tmp_path / "files", KEY)
    old, new = put(plain, tmp_path, b"old"), put(keyed, tmp_path, b"new")
    assert [read(keyed, old), read(keyed, new)] == [b"old", b"new"]
    with pytest.raises(Undecryptable, match="no key"):
        plain.open(new)


def test_content_that_looks_encrypted_is_stored_as_it_is(tmp_path: Path) -> None:
    content = MAGIC + b"but it is the text of a person"
    for key in (None, KEY):
        store = FileStore(tmp_path / f"files-{key is None}", key)
        assert read(store, put(store, tmp_path, content)) == content


def test_a_damaged_file_raises_an_error(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "files", KEY)
    digest = put(store, tmp_path, b"text")
    (path,) = (tmp_path / "files").rglob("*.enc")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(Undecryptable, match="damaged"):
        store.open(digest)


@pytest.mark.parametrize("digest", ["", "../secret_key", "A" * 64, "a" * 63, f"{'a' * 64}/.."])
def test_only_digests_lead_to_files(tmp_path: Path, digest: str) -> None:
    store = FileStore(tmp_path / "files", None)
    for call in (store.open, store.exists, store.delete):
        with pytest.raises(ValueError, match="no digest"):
            call(digest)


def test_a_missing_file_is_not_found(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "files", None)
    assert not store.exists("a" * 64)
    with pytest.raises(FileNotFoundError):
        store.open("a" * 64)
    assert list(store.list_digests()) == []
    assert store.used_bytes() == 0


@KEYS
def test_a_failed_write_leaves_nothing(tmp_path: Path, key: bytes | None) -> None:
    store = FileStore(tmp_path / "files", key)
    with pytest.raises(FileNotFoundError):
        store.put(tmp_path / "missing", "a" * 64)
    assert [path for path in (tmp_path / "files").rglob("*") if path.is_file()] == []


def test_old_drafts_are_removed_and_new_ones_are_kept(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "files", None)
    put(store, tmp_path, b"text")
    (folder,) = (tmp_path / "files").iterdir()
    old, new = folder / ".old.1", folder / ".new.1"
    for path in (old, new):
        path.write_bytes(b"draft")
    os.utime(old, (0, time.time() - DRAFT_SECONDS - 60))
    store.remove_drafts()
    assert [old.exists(), new.exists()] == [False, True]
    assert len(list(store.list_digests())) == 1


@KEYS
def test_the_size_of_the_store_follows_what_is_stored_and_deleted(tmp_path: Path, key: bytes | None) -> None:
    store = FileStore(tmp_path / "files", key)
    assert store.used_bytes() == 0
    digest = put(store, tmp_path, b"x" * 1_000)
    assert 1_000 <= store.used_bytes() < 1_100
    store.delete(digest)
    assert store.used_bytes() == 0
