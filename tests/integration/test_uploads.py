"""Uploads to a real server: they go on after a kill, a dropped connection and an outage, in constant memory."""

import base64
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests

from tests.harness.html import find_csrf_token
from tests.harness.people import NewPerson, Person, message_payload
from tests.harness.servers import NewServer, Postgres, Server
from tests.harness.uploading import VERSION, Uploading, download, send_files, upload
from tests.harness.waiting import eventually, scaled

CONTENT = random.Random(19).randbytes(3_000_000)
MEGABYTE = 1_000_000


def test_a_message_has_the_files_that_were_uploaded(any_server: Server, new_person: NewPerson) -> None:
    ana, bob = (new_person(any_server, name) for name in ("ana", "bob"))
    chat, other = ana.connect(), bob.connect()
    other.join()
    first, second = upload(any_server, chat, "data.bin", CONTENT), upload(any_server, chat, "empty.txt", b"")
    ack = send_files(chat, first, second)
    assert ack["ok"], ack
    (message,) = other.wait_for("chat_message")
    assert [(file["name"], file["size"]) for file in message["files"]] == [("data.bin", len(CONTENT)), ("empty.txt", 0)]
    assert download(bob, message) == [CONTENT, b""]


def test_messages_with_and_without_files_keep_the_order_in_which_a_client_sends_them(
    server_variant: Server, new_person: NewPerson
) -> None:
    chat = new_person(server_variant, "ana").connect()
    file = {"upload": upload(server_variant, chat, "notes.txt", b"hello").id}
    payloads = [message_payload(str(number)) | ({} if number % 2 else {"files": [file]}) for number in range(20)]
    acks = [chat.emit("send_message", payload) for payload in payloads]
    messages = [ack(20)["message"] for ack in acks]
    assert [message["content"] for message in sorted(messages, key=lambda message: message["seq"])] == [
        str(number) for number in range(20)
    ]


def test_an_upload_continues_after_the_server_was_killed(server: Server, ana: Person) -> None:
    uploading = Uploading.begin(server, ana.connect(), "data.bin", len(CONTENT))
    assert uploading.patch(CONTENT[:MEGABYTE], 0).headers["Upload-Offset"] == str(MEGABYTE)
    with uploading.begin_patch(CONTENT[MEGABYTE : 2 * MEGABYTE], MEGABYTE, 2 * MEGABYTE):
        path = server.data_dir / "uploads" / uploading.id
        eventually(lambda: path.stat().st_size > MEGABYTE, "further bytes have arrived")
        server.kill()
    server.start()
    offset = uploading.offset()
    assert MEGABYTE < offset <= 2 * MEGABYTE
    assert uploading.patch(CONTENT[offset:], offset).status_code == 204
    message = send_files(ana.connect(), uploading)["message"]
    assert download(ana, message) == [CONTENT]


@pytest.mark.parametrize("place", ["upload-received", "upload-stored", "upload-complete"])
def test_an_upload_becomes_complete_after_a_kill_between_two_steps(server: Server, ana: Person, place: str) -> None:
    server.kill()
    server.start(CHATAPP_FAILPOINT=place)
    uploading = Uploading.begin(server, ana.connect(), "notes.txt", 5)
    with pytest.raises(requests.ConnectionError):
        uploading.patch(b"hello", 0)
    eventually(lambda: not server.is_running, "the server was killed")
    server.start(CHATAPP_FAILPOINT="")
    assert uploading.offset() == 5
    message = send_files(ana.connect(), uploading)["message"]
    assert download(ana, message) == [b"hello"]


def test_what_has_arrived_before_a_dropped_connection_is_kept(server: Server, ana: Person) -> None:
    uploading = Uploading.begin(server, ana.connect(), "data.bin", len(CONTENT))
    path = server.data_dir / "uploads" / uploading.id
    uploading.begin_patch(CONTENT[:MEGABYTE], 0, len(CONTENT)).close()
    # A request for the offset would end the one that still receives.
    eventually(lambda: path.stat().st_size == MEGABYTE, "all bytes that were sent are kept")
    assert uploading.offset() == MEGABYTE
    assert uploading.patch(CONTENT[MEGABYTE:], MEGABYTE).status_code == 204


def test_a_new_request_ends_one_whose_client_is_silent(server: Server, ana: Person) -> None:
    uploading = Uploading.begin(server, ana.connect(), "data.bin", len(CONTENT))
    path = server.data_dir / "uploads" / uploading.id
    with uploading.begin_patch(CONTENT[:MEGABYTE], 0, len(CONTENT)):
        eventually(lambda: path.stat().st_size > 0, "bytes have arrived")
        offset = uploading.offset()
        assert 0 < offset <= MEGABYTE
        assert uploading.patch(CONTENT[offset:], offset).status_code == 204
    assert download(ana, send_files(ana.connect(), uploading)["message"]) == [CONTENT]


def test_bytes_at_a_wrong_offset_are_refused(server: Server, ana: Person) -> None:
    uploading = Uploading.begin(server, ana.connect(), "notes.txt", 5)
    for offset in (1, 5):
        response = uploading.patch(b"", offset)
        assert (response.status_code, response.json()["code"]) == (409, "offset_conflict")
    response = uploading.patch(b"hello, world", 0)
    assert (response.status_code, response.json()["code"]) == (413, "file_too_large")
    assert uploading.offset() == 0
    assert uploading.patch(b"hello", 0).status_code == 204
    assert uploading.patch(b"", 5).status_code == 204


def test_an_upload_goes_on_while_postgresql_is_stopped(
    own_postgres: Postgres, new_server: NewServer, new_person: NewPerson
) -> None:
    server = new_server(database_url=own_postgres.create_database(), CHATAPP_PERSON_FILES_MB="100").start()
    ana = new_person(server, "ana")
    chat = ana.connect()
    chat.join()
    begun = Uploading.begin(server, chat, "data.bin", len(CONTENT))
    assert begun.patch(CONTENT[:MEGABYTE], 0).status_code == 204
    own_postgres.stop()
    assert begun.offset() == MEGABYTE
    assert begun.patch(CONTENT[MEGABYTE:], MEGABYTE).status_code == 204
    during = upload(server, chat, "notes.txt", b"hello")
    pending = send_files(chat, begun, during)
    assert pending["ok"], pending
    assert pending["message"]["pending"]
    own_postgres.start()
    (saved,) = chat.wait_for("message_saved")
    assert download(ana, saved["message"]) == [CONTENT, b"hello"]


def test_an_upload_of_another_person_cannot_be_posted(server: Server, ana: Person, bob: Person) -> None:
    uploading = upload(server, ana.connect(), "notes.txt", b"hello")
    chat = bob.connect()
    assert send_files(chat, uploading)["error"]["code"] == "invalid_upload"
    unfinished = Uploading.begin(server, chat, "notes.txt", 5)
    assert send_files(chat, unfinished)["error"]["code"] == "invalid_upload"
    assert server.rows("SELECT count(*) FROM messages") == [(0,)]


def test_the_files_of_a_person_have_a_limit(new_server: NewServer, new_person: NewPerson) -> None:
    server = new_server(CHATAPP_PERSON_FILES_MB="2", CHATAPP_MAX_FILE_MB="1").start()
    ana, bob = (new_person(server, name) for name in ("ana", "bob"))
    chat = ana.connect()

    def create(size: int) -> str:
        ack = chat.call("create_upload", {"name": "data.bin", "size": size})
        return "ok" if ack["ok"] else ack["error"]["code"]

    assert create(MEGABYTE + 1) == "file_too_large"
    posted = upload(server, chat, "data.bin", CONTENT[:900_000])
    assert send_files(chat, posted)["ok"]
    again = upload(server, chat, "copy.bin", CONTENT[:900_000])
    assert send_files(chat, again)["ok"]
    assert create(300_000) == "quota_exceeded"
    assert create(100_000) == "ok"
    assert create(100_001) == "quota_exceeded"
    # Those of scheduled messages count, too.
    due_at = f"{datetime.now(UTC) + timedelta(days=1)}"
    later = message_payload("") | {"due_at": due_at, "files": [{"upload": again.id}]}
    scheduled = chat.call("schedule_message", later)["scheduled"]
    assert create(1) == "quota_exceeded"
    assert chat.call("delete_scheduled", {"id": scheduled["id"]})["ok"]
    assert create(1) == "ok"
    assert bob.connect().call("create_upload", {"name": "data.bin", "size": MEGABYTE})["ok"]


def test_programs_begin_uploads_with_the_protocol_or_over_the_api(server: Server, ana: Person) -> None:
    token = {"X-CSRFToken": find_csrf_token(ana.get("/people").text)}
    name = base64.b64encode("naïve.txt".encode()).decode()
    headers = {**VERSION, **token, "Upload-Length": "5", "Upload-Metadata": f"filename {name}"}
    created = ana.http.post(f"{server.url}/uploads", headers=headers, timeout=scaled(30))
    assert (created.status_code, created.headers["Tus-Resumable"]) == (201, "1.0.0")
    for begun in (created, ana.api().post("/uploads", json={"name": "naïve.txt", "size": 5})):
        assert begun.status_code == 201, begun.text
        body = begun.json().get("upload", begun.json())
        uploading = Uploading(server, body["id"], begun.headers["Location"], 5)
        assert uploading.patch(b"hello", 0).status_code == 204
        (file,) = send_files(ana.connect(), uploading)["message"]["files"]
        assert file["name"] == "naïve.txt"


def test_a_server_describes_its_protocol(server: Server, ana: Person) -> None:
    described = requests.options(f"{server.url}/uploads", timeout=scaled(30))
    assert described.headers["Tus-Version"] == "1.0.0"
    assert described.headers["Tus-Extension"] == "creation,termination"
    assert described.headers["Tus-Max-Size"] == "100000000"
    other = requests.head(f"{server.url}/uploads/1-{'a' * 32}", headers={"Tus-Resumable": "0.2"}, timeout=scaled(30))
    assert other.status_code == 412


def test_a_removed_upload_is_gone(server: Server, ana: Person) -> None:
    uploading = upload(server, ana.connect(), "notes.txt", b"hello")
    assert uploading.delete().status_code == 204
    assert uploading.delete().status_code == 404
    assert send_files(ana.connect(), uploading)["error"]["code"] == "invalid_upload"


def test_a_large_upload_needs_little_memory(new_server: NewServer, new_person: NewPerson, tmp_path: Path) -> None:
    server = new_server(CHATAPP_MAX_FILE_MB="200").start()
    ana = new_person(server, "ana")
    chat = ana.connect()
    upload(server, chat, "small.bin", CONTENT)
    source = tmp_path / "large.bin"
    with source.open("wb") as file:
        file.write(b"\x01")
        file.truncate(200 * MEGABYTE)
    status, references = (Path("/proc", str(server.pid), name) for name in ("status", "clear_refs"))
    before = read_kilobytes(status, "VmRSS")
    references.write_text("5")  # The peak begins now.
    uploading = Uploading.begin(server, chat, "large.bin", 200 * MEGABYTE)
    with source.open("rb") as file:
        assert uploading.patch(file, 0).status_code == 204
    assert read_kilobytes(status, "VmHWM") - before < 50_000


def read_kilobytes(status: Path, name: str) -> int:
    """Return a figure of a process."""
    return int(next(line.split()[1] for line in status.read_text().splitlines() if line.startswith(f"{name}:")))
