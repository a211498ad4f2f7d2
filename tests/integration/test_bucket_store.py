"""The store of files with a bucket of a real S3 server: nothing is lost or doubled by an outage or a kill."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import obstore
import pytest
import requests

from chatapp.encryption.streams import CHUNK_BYTES, Undecryptable
from chatapp.files import bucket as bucket_module
from chatapp.files.bucket import StoredObject
from chatapp.files.bucket_store import BucketStore
from chatapp.files.store import FileStore, StoreUnavailable
from tests.harness import ROOT
from tests.harness.people import NewPerson, Socket
from tests.harness.proxy import Proxy
from tests.harness.s3 import ACCESS_KEY, BUCKET, REGION, S3, SECRET_KEY
from tests.harness.servers import NewServer, Server
from tests.harness.stored_files import put, read
from tests.harness.uploading import download, send_files, upload
from tests.harness.waiting import eventually, scaled

KEY = b"k" * 32
KEYS = pytest.mark.parametrize("key", [None, KEY], ids=["plain", "encrypted"])

_prefixes = count(1)


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    s3 = S3(tmp_path_factory.mktemp("s3"))
    try:
        s3.start()
        yield s3
    finally:
        s3.close()


@pytest.fixture
def proxy(s3: S3) -> Iterator[Proxy]:
    """A proxy in front of the S3 server, which can refuse connections, or hold them."""
    proxy = Proxy(s3.endpoint)
    yield proxy
    proxy.close()


@pytest.fixture
def prefix() -> str:
    return f"test-{next(_prefixes)}"


@pytest.fixture(autouse=True)
def immediate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again at once after an outage."""
    monkeypatch.setattr(bucket_module, "PAUSE_SECONDS", 0.0)


def new_store(s3: S3, folder: Path, prefix: str, key: bytes | None = None, *, keep_seconds: float = 0) -> BucketStore:
    return BucketStore(folder / "files", key, s3.connect(prefix=prefix), keep_seconds=keep_seconds)


def store_behind(proxy: Proxy, s3: S3, folder: Path, prefix: str) -> BucketStore:
    return BucketStore(folder / "files", None, s3.connect(endpoint=proxy.url, prefix=prefix), keep_seconds=0)


def move_all(store: BucketStore) -> None:
    store.move_files()
    assert list(store.list_paths()) == []


def list_digests(store: BucketStore) -> list[str]:
    return sorted({digest for digest, _ in store.list_digests()})


@KEYS
def test_a_file_is_read_from_the_folder_and_from_the_bucket(
    s3: S3, tmp_path: Path, prefix: str, key: bytes | None
) -> None:
    store, content = new_store(s3, tmp_path, prefix, key), os.urandom(30 * CHUNK_BYTES + 5)
    digest = put(store, tmp_path, content)
    put(store, tmp_path, b"small", digest, "small")
    assert read(store, digest) == content
    move_all(store)
    assert read(store, digest) == content
    assert read(store, digest, "small") == b"small"
    assert [store.exists(digest, variant) for variant in ("", "small", "large")] == [True, True, False]
    file = store.open(digest)
    assert (file.size, file.read(CHUNK_BYTES - 1, 2)) == (len(content), content[CHUNK_BYTES - 1 : CHUNK_BYTES + 1])
    assert file.read(len(content) - 3, 100) == content[-3:]
    assert file.read(len(content), 100) == b""
    file.close()


def test_an_empty_file_is_moved_too(s3: S3, tmp_path: Path, prefix: str) -> None:
    store = new_store(s3, tmp_path, prefix)
    digest = put(store, tmp_path, b"")
    move_all(store)
    assert read(store, digest) == b""


def test_a_file_is_encrypted_in_the_bucket(s3: S3, tmp_path: Path, prefix: str) -> None:
    store = new_store(s3, tmp_path, prefix, KEY)
    digest = put(store, tmp_path, b"secret text")
    move_all(store)
    (found,) = store.bucket.list()
    assert b"secret text" not in store.bucket.read(found.key, 0, found.size)
    with pytest.raises(Undecryptable):
        new_store(s3, tmp_path, prefix).open(digest)


def test_a_large_file_is_uploaded_in_parts(s3: S3, tmp_path: Path, prefix: str) -> None:
    store, content = new_store(s3, tmp_path, prefix), os.urandom(12_000_000)
    digest = put(store, tmp_path, content)
    move_all(store)
    assert read(store, digest) == content


@KEYS
def test_files_are_listed_and_counted_once_wherever_they_are(
    s3: S3, tmp_path: Path, prefix: str, key: bytes | None
) -> None:
    store = new_store(s3, tmp_path, prefix, key)
    first, second = put(store, tmp_path, b"first"), put(store, tmp_path, b"second")
    put(store, tmp_path, b"small", first, "small")
    size = store.count_bytes()
    move_all(store)
    assert (list_digests(store), store.count_bytes()) == (sorted([first, second]), size)
    put(store, tmp_path, b"first")  # It is in both places now.
    third = put(store, tmp_path, b"third")
    (added,) = (path.stat().st_size for path in store.list_paths() if path.name.startswith(third))
    assert (list_digests(store), store.count_bytes()) == (sorted([first, second, third]), size + added)


def test_what_else_is_in_the_bucket_is_ignored(s3: S3, tmp_path: Path, prefix: str) -> None:
    store = new_store(s3, tmp_path, prefix)
    (tmp_path / "other").write_bytes(b"other")
    store.bucket.put(tmp_path / "other", "ab/notes.txt")
    assert list_digests(store) == []


def test_a_deleted_file_is_in_neither_place(s3: S3, tmp_path: Path, prefix: str) -> None:
    store = new_store(s3, tmp_path, prefix)
    digest = put(store, tmp_path, b"picture")
    put(store, tmp_path, b"thumbnail", digest, "small")
    move_all(store)
    put(store, tmp_path, b"picture")  # It is in the folder again.
    assert store.delete(digest)
    assert not store.delete(digest)
    assert list(store.list_digests()) == []
    assert not store.exists(digest)


def test_a_file_that_was_stored_again_is_new_for_the_sweep(s3: S3, tmp_path: Path, prefix: str) -> None:
    store = new_store(s3, tmp_path, prefix)
    digest = put(store, tmp_path, b"text")
    move_all(store)
    ((_, stored_at),) = store.list_digests()
    put(store, tmp_path, b"text")
    assert not store.delete(digest, if_older_than=stored_at)
    move_all(store)
    assert not store.delete(digest, if_older_than=stored_at - 1)
    assert read(store, digest) == b"text"
    assert store.delete(digest, if_older_than=stored_at + 3_600)


def test_a_file_that_is_stored_again_while_it_is_uploaded_stays_in_the_folder(
    s3: S3, tmp_path: Path, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = new_store(s3, tmp_path, prefix)
    digest = put(store, tmp_path, b"text")
    upload_object = store.bucket.put

    def put_meanwhile(source: Path, key: str) -> None:
        upload_object(source, key)
        put(store, tmp_path, b"text")

    with monkeypatch.context() as patch:
        patch.setattr(store.bucket, "put", put_meanwhile)
        store.move_files()
    assert len(list(store.list_paths())) == 1
    move_all(store)
    assert read(store, digest) == b"text"


def test_a_new_file_stays_in_the_folder_for_a_while(s3: S3, tmp_path: Path, prefix: str) -> None:
    store = new_store(s3, tmp_path, prefix, keep_seconds=60)
    new, old = put(store, tmp_path, b"new"), put(store, tmp_path, b"old")
    stored_at = time.time() - 61
    os.utime(tmp_path / "files" / old[:2] / old, (stored_at, stored_at))
    store.move_files()
    assert [path.name for path in store.list_paths()] == [new]
    assert read(store, old) == b"old"


def test_a_file_that_cannot_be_read_delays_no_others(s3: S3, tmp_path: Path, prefix: str) -> None:
    store = new_store(s3, tmp_path, prefix)
    damaged = tmp_path / "files" / "00" / ("0" * 64)
    damaged.mkdir(parents=True)
    put(store, tmp_path, b"text")
    with pytest.raises(OSError, match="directory"):
        store.move_files()
    assert list(store.list_paths()) == [damaged]


def test_a_wrong_secret_key_is_refused_and_named_without_its_value(s3: S3, tmp_path: Path, prefix: str) -> None:
    bucket = s3.connect(prefix=prefix, secret_key="wrong-secret")
    store = BucketStore(tmp_path / "files", None, bucket, keep_seconds=0)
    digest = put(store, tmp_path, b"text")
    with pytest.raises(StoreUnavailable, match="refuses the access key") as raised:
        store.move_files()
    assert "wrong-secret" not in str(raised.value)
    assert read(store, digest) == b"text"
    bucket.check()
    assert bucket.problem == "The bucket refuses the access key."


def test_nothing_is_moved_to_a_bucket_that_does_not_exist(
    s3: S3, tmp_path: Path, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def respond_404(*_: object, **__: object) -> None:
        raise FileNotFoundError("NoSuchBucket")

    store = new_store(s3, tmp_path, prefix)
    digest = put(store, tmp_path, b"text")
    monkeypatch.setattr(obstore, "put", respond_404)  # SeaweedFS would create the bucket.
    with pytest.raises(StoreUnavailable, match="The bucket does not exist"):
        store.move_files()
    assert read(store, digest) == b"text"


def test_files_are_stored_and_read_while_the_server_is_away_and_moved_afterwards(
    s3: S3, proxy: Proxy, tmp_path: Path, prefix: str
) -> None:
    store = store_behind(proxy, s3, tmp_path, prefix)
    moved = put(store, tmp_path, b"moved")
    move_all(store)
    size = store.count_bytes()
    proxy.refuse()
    digest = put(store, tmp_path, b"new")
    with pytest.raises(StoreUnavailable):
        store.move_files()
    assert read(store, digest) == b"new"
    for attempt in (lambda: read(store, moved), lambda: store.delete(moved), lambda: list(store.list_digests())):
        with pytest.raises(StoreUnavailable):
            attempt()
    assert store.count_bytes() == size + 3
    assert store.bucket.problem == "The bucket does not respond."
    proxy.release()
    move_all(store)
    assert store.bucket.problem is None
    assert (read(store, moved), read(store, digest)) == (b"moved", b"new")


def test_reads_fail_at_once_after_an_outage_was_noticed_until_a_check_succeeds(
    s3: S3, proxy: Proxy, tmp_path: Path, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket_module, "PAUSE_SECONDS", 3_600.0)
    store = store_behind(proxy, s3, tmp_path, prefix)
    digest = put(store, tmp_path, b"text")
    move_all(store)
    proxy.refuse()
    with pytest.raises(StoreUnavailable, match="Error performing"):
        store.open(digest)
    proxy.release()
    with pytest.raises(StoreUnavailable, match=r"^The bucket does not respond\.$"):
        store.open(digest)
    store.bucket.check()
    assert read(store, digest) == b"text"


def test_a_server_that_never_responds_is_away_after_a_while(
    s3: S3, proxy: Proxy, tmp_path: Path, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket_module, "READ_SECONDS", 1)
    store = store_behind(proxy, s3, tmp_path, prefix)
    digest = put(store, tmp_path, b"text")
    move_all(store)
    file = store.open(digest)
    proxy.hold()
    with pytest.raises(StoreUnavailable, match="does not respond"):
        file.read(0, 4)
    with pytest.raises(StoreUnavailable, match="does not respond"):
        store.open(digest)
    proxy.release()
    assert read(store, digest) == b"text"


def test_a_file_that_the_bucket_has_with_another_size_stays_in_the_folder(
    s3: S3, tmp_path: Path, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = new_store(s3, tmp_path, prefix)
    digest = put(store, tmp_path, b"text")
    monkeypatch.setattr(store.bucket, "find", lambda key: StoredObject(key, 3, 0.0))
    with pytest.raises(OSError, match="3 bytes"):
        store.move_files()
    assert read(store, digest) == b"text"


@pytest.mark.parametrize("failpoint", ["file-uploading", "file-uploaded", "file-moved"])
def test_a_kill_while_files_are_moved_loses_and_doubles_nothing(
    s3: S3, tmp_path: Path, prefix: str, failpoint: str
) -> None:
    store, contents = new_store(s3, tmp_path, prefix), [b"first", b"second", b"third"]
    digests = [put(store, tmp_path, content) for content in contents]
    kill_at(failpoint, s3, tmp_path, prefix, "store.move_files()")
    assert [read(store, digest) for digest in digests] == contents
    assert list_digests(store) == sorted(digests)
    move_all(store)
    assert [read(store, digest) for digest in digests] == contents
    assert len(list(store.bucket.list())) == len(contents)


def test_a_kill_while_a_file_is_deleted_leaves_it_for_the_next_sweep(s3: S3, tmp_path: Path, prefix: str) -> None:
    store = new_store(s3, tmp_path, prefix)
    digest = put(store, tmp_path, b"picture")
    put(store, tmp_path, b"thumbnail", digest, "small")
    move_all(store)
    kill_at("file-deleted", s3, tmp_path, prefix, f"store.delete({digest!r})", number=1)
    assert (list_digests(store), read(store, digest)) == ([digest], b"picture")
    assert store.delete(digest)
    assert list_digests(store) == []


def kill_at(failpoint: str, s3: S3, folder: Path, prefix: str, statement: str, number: int = 2) -> None:
    """Run a statement with a store in another process, which is killed at a failpoint."""
    program = f"""
from pathlib import Path
from chatapp.files.bucket import Bucket
from chatapp.files.bucket_store import BucketStore
bucket = Bucket({BUCKET!r}, endpoint={s3.endpoint!r}, region={REGION!r}, access_key={ACCESS_KEY!r},
                secret_key={SECRET_KEY!r}, prefix={prefix!r})
store = BucketStore(Path({str(folder / "files")!r}), None, bucket, keep_seconds=0)
{statement}
"""
    killed = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=os.environ | {"CHATAPP_FAILPOINT": f"{failpoint}:{number}"},
        timeout=scaled(60),
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL


@pytest.fixture
def bucket_server(s3: S3, proxy: Proxy, prefix: str, new_server: NewServer) -> Server:
    """A server that moves its files to the bucket at once, through the proxy."""
    server = new_server(
        CHATAPP_S3_ENDPOINT=proxy.url,
        CHATAPP_S3_BUCKET=BUCKET,
        CHATAPP_S3_REGION=REGION,
        CHATAPP_S3_ACCESS_KEY=ACCESS_KEY,
        CHATAPP_S3_SECRET_KEY=SECRET_KEY,
        CHATAPP_S3_PREFIX=prefix,
        CHATAPP_S3_KEEP_SECONDS="0",
    )
    server.start()
    return server


def post_file(chat: Socket, server: Server, content: bytes) -> dict[str, Any]:
    """Post a message with a file, and return it."""
    ack = send_files(chat, upload(server, chat, "file.bin", content))
    assert ack["ok"], ack
    message: dict[str, Any] = ack["message"]
    return message


def is_folder_empty(server: Server) -> bool:
    return next(FileStore(server.data_dir / "files", None).list_paths(), None) is None


def test_a_server_serves_files_from_the_bucket_and_through_an_outage_stores_new_ones(
    proxy: Proxy, bucket_server: Server, new_person: NewPerson, tmp_path: Path
) -> None:
    ana, content = new_person(bucket_server, "ana"), os.urandom(2_000_000)
    chat = ana.connect()
    moved = post_file(chat, bucket_server, content)
    eventually(lambda: is_folder_empty(bucket_server), "the file is in the bucket", timeout=30)
    assert download(ana, moved) == [content]
    url = moved["files"][0]["url"]
    part = ana.get(url, headers={"Range": "bytes=1000-1009"})
    assert (part.status_code, part.content) == (206, content[1_000:1_010])
    assert bucket_server.flask("files", "check", "--contents") == "The files of all messages are stored.\n"
    assert "are only in the bucket, or not stored: 1." in bucket_server.flask("backup", str(tmp_path / "backup.tar"))

    proxy.refuse()
    new = post_file(chat, bucket_server, b"new")
    assert download(ana, new) == [b"new"]
    refused = ana.get(url)
    assert (refused.status_code, "Retry-After" in refused.headers) == (503, True)
    ready = requests.get(f"{bucket_server.url}/readyz", timeout=scaled(10))
    assert (ready.status_code, ready.json()["checks"]["bucket"]["status"]) == (200, "degraded")
    assert "cannot be read: The bucket does not respond." in bucket_server.flask("files", "check", expect=1)
    assert "The bucket does not respond." in bucket_server.flask("files", "sweep", expect=1)

    proxy.release()
    eventually(lambda: is_folder_empty(bucket_server), "the new file is in the bucket", timeout=60)
    assert [download(ana, message) for message in (moved, new)] == [[content], [b"new"]]
    assert SECRET_KEY not in bucket_server.log()


def test_a_server_that_is_killed_while_it_moves_files_has_them_all_afterwards(
    s3: S3, proxy: Proxy, bucket_server: Server, new_person: NewPerson, prefix: str
) -> None:
    proxy.refuse()  # So that all files are there when they begin to move.
    ana, contents = new_person(bucket_server, "ana"), [b"first", b"second", b"third"]
    chat = ana.connect()
    messages = [post_file(chat, bucket_server, content) for content in contents]
    bucket_server.kill()
    proxy.release()
    bucket_server.launch(CHATAPP_FAILPOINT="file-uploaded:2")
    eventually(lambda: not bucket_server.is_running, "killed", timeout=40)
    assert bucket_server.exit_code == -signal.SIGKILL
    bucket_server.start(CHATAPP_FAILPOINT="")
    eventually(lambda: is_folder_empty(bucket_server), "the files are in the bucket", timeout=60)
    assert [download(ana, message) for message in messages] == [[content] for content in contents]
    assert len(list(s3.connect(prefix=prefix).list())) == len(contents)
