"""The server and sweeps are killed while people post and delete messages with files, and the disk is full."""

import os
import random
import signal
import threading
import time
import uuid
from collections.abc import Callable, Collection
from functools import partial
from hashlib import sha256

import pytest
import requests

from tests.harness.people import Api, NewPerson
from tests.harness.servers import NewServer, Server
from tests.harness.stored_files import delete_uploads, file_store, let_hours_pass
from tests.harness.waiting import eventually, scaled

pytestmark = pytest.mark.faults

FAILPOINTS = [
    "upload-received",  # all bytes of an upload have arrived
    "file-written",  # a file of the store is complete, without its name
    "file-stored",  # it has its name, which is perhaps not on the disk
    "upload-stored",  # the files of an upload are stored
    "upload-complete",  # the upload knows what it has become
    "before-commit",
    "after-commit",
    "",  # at a random time
]
SWEEP_FAILPOINTS = ["file-deleted:1", "file-swept:1", "file-swept:2", ""]

CYCLES = 8
SOAK_CYCLES = 60

WITHOUT_LIMITS = {"CHATAPP_GENERAL_KEEP_LAST": "0", "CHATAPP_UPLOADS_PER_MINUTE": "0"}

TUS = {"Tus-Resumable": "1.0.0", "Content-Type": "application/offset+octet-stream"}


class Writer:
    """A program that posts messages with one file each, and deletes every third. It repeats what has failed."""

    def __init__(self, server: Server, api: Api, name: str) -> None:
        self._url = server.url
        self._api = api
        self._name = name
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.kept: dict[int, bytes] = {}
        """The contents of acknowledged messages that are not to be deleted, by number."""
        self.deleted: set[int] = set()
        self.error: Exception | None = None

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Wait until the last message is acknowledged."""
        self._is_over.set()
        self._thread.join(scaled(60))
        assert not self._thread.is_alive(), f"{self._name} has not ended"
        assert self.error is None, self.error

    def _run(self) -> None:
        try:
            number = 0
            while not self._is_over.is_set():
                number += 1
                content = f"{self._name} {number} ".encode() * 100
                seq = self._post(content)
                if number % 3 == 0:
                    path = f"/conversations/general/messages/{seq}"
                    repeat(partial(self._api.request, "DELETE", path), {200, 204, 404})
                    self.deleted.add(seq)
                else:
                    self.kept[seq] = content
        except Exception as error:  # It is raised by `stop`.
            self.error = error

    def _post(self, content: bytes) -> int:
        upload_id = self._upload(content)
        message = {"content": self._name, "client_id": str(uuid.uuid4()), "files": [{"upload": upload_id}]}
        response = repeat(lambda: self._api.post("/conversations/general/messages", json=message), {200, 201})
        (file,) = response.json()["files"]
        assert file["size"] == len(content)
        seq: int = response.json()["seq"]
        return seq

    def _upload(self, content: bytes) -> str:
        described = {"name": "notes.txt", "size": len(content)}
        created = repeat(lambda: self._api.post("/uploads", json=described), {201}).json()
        url = self._url + created["url"]

        def send() -> requests.Response:
            found = requests.head(url, headers=TUS, timeout=scaled(30))
            if not found.ok:
                return found
            headers = TUS | {"Upload-Offset": found.headers["Upload-Offset"]}
            return requests.patch(
                url, data=content[int(headers["Upload-Offset"]) :], headers=headers, timeout=scaled(30)
            )

        repeat(send, {204})
        upload_id: str = created["id"]
        return upload_id


def repeat(request: Callable[[], requests.Response], expected: Collection[int]) -> requests.Response:
    """Repeat a request, as programs do, until the server answers it."""
    gives_up_at = time.monotonic() + scaled(120)
    while True:
        answer = "no answer"
        try:
            response = request()
            if response.status_code in expected:
                return response
            answer = f"{response.status_code} {response.text}"
            assert response.status_code in {409, 423, 503}, answer
        except requests.RequestException as error:
            answer = str(error)
        assert time.monotonic() < gives_up_at, answer
        time.sleep(0.05)


def run_and_kill(server: Server, writers: Collection[Writer], failpoint: str, chance: random.Random) -> None:
    """Run the server and a sweep, and kill both, at failpoints or at a random time."""
    server.launch(CHATAPP_FAILPOINT=f"{failpoint}:{chance.randint(1, 6)}" if failpoint else "")
    if not failpoint:
        server.wait_until_ready()
    sweep_at = chance.choice(SWEEP_FAILPOINTS)
    # It ends by itself if there is nothing to remove.
    sweeping = threading.Thread(target=sweep, args=(server, sweep_at))
    sweeping.start()
    if failpoint:
        eventually(lambda: not server.is_running or any(each.error for each in writers), f"killed at {failpoint}", 40)
        assert [each.error for each in writers] == [None] * len(writers)
        assert server.exit_code == -signal.SIGKILL
    else:
        time.sleep(chance.uniform(0.2, 1.0))
        server.kill()
    sweeping.join()


def sweep(server: Server, failpoint: str = "") -> None:
    folder = server.data_dir / "files"
    if failpoint and not any(folder.glob("??/*")):
        return
    try:
        server.flask("files", "sweep", CHATAPP_FAILPOINT=failpoint)
    except AssertionError:
        assert failpoint, "a sweep has failed"


def post_while_killing(cycles: int, server: Server, new_person: NewPerson) -> None:
    seed = os.environ.get("CHATAPP_SEED") or str(random.randrange(10**6))
    print(f"replay with CHATAPP_SEED={seed}")
    chance = random.Random(seed)
    failpoints = [FAILPOINTS[number % len(FAILPOINTS)] for number in range(cycles)]
    chance.shuffle(failpoints)
    writers = [Writer(server, new_person(server, name).api(), name) for name in ("ana", "bob")]
    server.kill()
    for writer in writers:
        writer.start()
    for failpoint in failpoints:
        run_and_kill(server, writers, failpoint, chance)
        server.execute("DELETE FROM deletions")  # As if their time was over.
        let_hours_pass(server)
    server.start(CHATAPP_FAILPOINT="")
    for writer in writers:
        writer.stop()
    check_files(server, writers)


def check_files(server: Server, writers: Collection[Writer]) -> None:
    """Compare the messages, their files and the store with what was acknowledged."""
    kept = {seq: content for writer in writers for seq, content in writer.kept.items()}
    deleted = {seq for writer in writers for seq in writer.deleted}
    assert len(kept) > len(deleted) > 0
    rows = server.rows(
        "SELECT m.seq, m.deleted_at IS NULL, a.digest FROM messages m LEFT JOIN attachments a ON a.message_id = m.id"
    )
    assert len(rows) == len(kept.keys() | deleted)
    assert {seq for seq, _, _ in rows} == kept.keys() | deleted
    expected = {seq: sha256(content).hexdigest() for seq, content in kept.items()}
    assert {seq: digest for seq, is_kept, digest in rows if is_kept} == expected
    assert server.flask("files", "check", "--contents") == "The files of all messages are stored.\n"
    server.terminate()
    server.execute("DELETE FROM deletions")
    delete_uploads(server)
    sweep(server)
    let_hours_pass(server)
    sweep(server)
    assert server.flask("files", "check", "--contents") == "The files of all messages are stored.\n"
    assert sorted(digest for digest, _ in file_store(server).list_digests()) == sorted(expected.values())


def test_no_acknowledged_file_is_lost_and_none_is_left_when_the_server_and_sweeps_are_killed(
    new_server: NewServer, new_person: NewPerson, database_url: str
) -> None:
    server = new_server(database_url=database_url, **WITHOUT_LIMITS).start()
    post_while_killing(CYCLES, server, new_person)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_many_kills_in_a_row(new_server: NewServer, new_person: NewPerson, database_url: str) -> None:
    server = new_server(database_url=database_url, **WITHOUT_LIMITS).start()
    post_while_killing(SOAK_CYCLES, server, new_person)


def test_a_full_disk_refuses_files_and_leaves_nothing(new_server: NewServer, new_person: NewPerson) -> None:
    server = new_server().start()
    api = new_person(server, "ana").api()
    described = {"name": "notes.txt", "size": 5}
    begun = api.post("/uploads", json=described).json()
    server.terminate()
    server.start(CHATAPP_FREE_DISK_MB=str(10**9))
    refused = api.post("/uploads", json=described)
    assert (refused.status_code, refused.json()["code"]) == (507, "storage_full")
    headers = TUS | {"Upload-Offset": "0"}
    assert requests.patch(server.url + begun["url"], b"hello", headers=headers, timeout=scaled(30)).status_code == 507
    assert not any(path.is_file() for path in (server.data_dir / "files").rglob("*"))
    assert [path.stat().st_size for path in (server.data_dir / "uploads").iterdir() if not path.suffix] == [0]
    assert api.post("/conversations/general/messages", json={"content": "Messages need no files"}).ok
    server.terminate()
    server.start(CHATAPP_FREE_DISK_MB="0")
    response = requests.patch(server.url + begun["url"], b"hello", headers=headers, timeout=scaled(30))
    assert response.status_code == 204, response.text
