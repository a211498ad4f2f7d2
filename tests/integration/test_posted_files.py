"""Messages with files that were uploaded before."""

import uuid
from hashlib import sha256
from typing import Any

import pytest

from tests.harness.api import check_problem
from tests.harness.html import find_csrf_token
from tests.harness.people import NewPerson, Person, Socket
from tests.harness.servers import NewServer, Server
from tests.harness.uploading import Uploading, upload


def send(socket: Socket, files: object, client_id: str | None = None, content: str = "") -> dict[str, Any]:
    payload = {"conversation": "general", "content": content, "client_id": client_id or str(uuid.uuid4())}
    ack: dict[str, Any] = socket.call("send_message", payload | {"files": files})
    return ack


def test_a_message_needs_no_text_if_it_has_files_and_is_stored_once(any_server: Server, new_person: NewPerson) -> None:
    ana = new_person(any_server, "ana")
    socket = ana.connect()
    notes = upload(ana.server, socket, "notes.txt", b"Remember the milk").id
    client_id = str(uuid.uuid4())
    ack = send(socket, [{"upload": notes, "alt": "A list"}], client_id)
    assert ack["ok"], ack
    (file,) = ack["message"]["files"]
    assert (file["name"], file["kind"], file["alt"], file["size"]) == ("notes.txt", "text", "A list", 17)
    assert ana.get(file["url"]).content == b"Remember the milk"
    again = send(socket, [{"upload": notes, "alt": "A list"}], client_id)
    assert again["message"]["seq"] == ack["message"]["seq"]
    assert any_server.rows("SELECT count(*) FROM messages") == [(1,)]


@pytest.mark.parametrize(
    "files",
    ["x", [1], [{}], [{"upload": 1}], [{"upload": "x", "alt": 1}], [{"upload": "x", "other": 1}], {"upload": "x"}],
)
def test_what_is_no_list_of_files_is_refused(ana: Person, files: object) -> None:
    assert send(ana.connect(), files, content="Look")["error"]["code"] == "invalid"


def test_only_ones_own_complete_uploads_can_be_posted(ana: Person, bob: Person) -> None:
    socket, other = ana.connect(), bob.connect()
    for upload_id in (
        "unknown",
        Uploading.begin(ana.server, socket, "notes.txt", 10).id,
        upload(bob.server, other, "notes.txt", b"of bob").id,
    ):
        ack = send(socket, [{"upload": upload_id}], content="Look")
        assert ack["error"]["code"] == "invalid_upload", ack
    assert ana.server.rows("SELECT count(*) FROM messages") == [(0,)]


def test_a_program_uploads_a_file_and_posts_it_over_the_api(any_server: Server, new_person: NewPerson) -> None:
    ana, bob = (new_person(any_server, name) for name in ("ana", "bob"))
    api, path = ana.api(), "/conversations/general/messages"
    created = api.post("/uploads", json={"name": "notes.txt", "size": 5}).json()
    assert Uploading(any_server, created["id"], created["url"], 5).patch(b"hello", 0).status_code == 204
    files = [{"upload": created["id"], "alt": "A greeting"}]
    assert check_problem(bob.api().post(path, json={"content": "Mine", "files": files})) == (422, "invalid_upload")
    assert check_problem(api.post(path, json={"content": "", "files": []})) == (400, "empty")
    assert check_problem(api.post(path, json={"content": "Hi", "files": [{"alt": "x"}]})) == (400, "invalid")
    (file,) = api.post(path, json={"content": "", "files": files}).json()["files"]
    assert (file["name"], file["kind"], file["alt"]) == ("notes.txt", "text", "A greeting")
    assert api.get(file["url"].removeprefix("/api")).content == b"hello"
    (listed,) = api.get("/conversations/general/files").json()["files"]
    assert listed["file"] == file


def test_an_upload_may_arrive_in_one_large_request(ana: Person) -> None:
    socket = ana.connect()
    content = bytes(5_000_000)
    assert send(socket, [{"upload": upload(ana.server, socket, "notes.txt", content).id}])["message"]["files"][0][
        "size"
    ] == len(content)


def test_without_javascript_a_form_uploads_files(ana: Person) -> None:
    page = ana.get("/").text
    fields = {"csrf_token": find_csrf_token(page), "form_id": str(uuid.uuid4())}
    large = [("file", ("photo.bin", bytes(2_000_000))), ("file", ("notes.txt", b"Remember"))]
    empty = [("file", ("", b""))]
    for content, files in (("With files", large), ("Without", empty)):
        url = f"{ana.server.url}/conversations/general/messages"
        assert ana.http.post(url, data=fields | {"content": content}, files=files, timeout=60).ok
    rows = ana.server.rows("SELECT message_id, name, size FROM attachments ORDER BY position")
    assert rows == [(1, "photo.bin", 2_000_000), (1, "notes.txt", 8)]
    assert ana.server.rows("SELECT content FROM messages ORDER BY seq") == [("With files",), ("Without",)]
    assert 'enctype="multipart/form-data"' in page


def test_a_form_that_the_browser_shows_again_posts_another_file_as_another_message(ana: Person) -> None:
    fields = {"csrf_token": find_csrf_token(ana.get("/").text), "form_id": str(uuid.uuid4()), "content": ""}
    for content in (b"one", b"two", b"two"):
        url = f"{ana.server.url}/conversations/general/messages"
        assert ana.http.post(url, data=fields, files=[("file", ("notes.txt", content))], timeout=60).ok
    digests = [(sha256(content).hexdigest(),) for content in (b"one", b"two")]
    assert ana.server.rows("SELECT digest FROM attachments ORDER BY message_id") == digests


def test_a_refused_form_uses_up_no_quota(new_server: NewServer, new_person: NewPerson) -> None:
    ana = new_person(new_server(CHATAPP_PERSON_FILES_MB="1").start(), "ana")
    fields = {"csrf_token": find_csrf_token(ana.get("/").text), "form_id": str(uuid.uuid4()), "content": ""}

    def post(*contents: bytes, conversation: str = "general") -> int:
        files = [("file", ("data.bin", content * 600_000)) for content in contents]
        url = f"{ana.server.url}/conversations/{conversation}/messages"
        return ana.http.post(url, data=fields, files=files, timeout=60).status_code

    assert post(b"1", b"2") == 413
    assert post(b"3", conversation="room_999") == 404
    assert post(b"4") == 200
    assert post(b"5") == 413


def test_an_edit_removes_a_file_by_its_digest(ana: Person) -> None:
    socket = ana.connect()
    one, two = upload(ana.server, socket, "notes.txt", b"one").id, upload(ana.server, socket, "notes.txt", b"two").id
    sent = send(socket, [{"upload": one}, {"upload": two}])["message"]
    first, second = sent["files"]
    edit = {"conversation": "general", "seq": sent["seq"]}
    changed = socket.call("edit_message", edit | {"removed_files": [first["digest"]]})["message"]
    assert changed["files"] == [second]
    assert ana.get(first["url"]).status_code == 404
    refused = ana.api().request(
        "PATCH", f"/conversations/general/messages/{sent['seq']}", json={"removed_files": [second["digest"]]}
    )
    assert check_problem(refused) == (400, "empty")
    malformed = socket.call("edit_message", edit | {"removed_files": ["x"]})
    assert malformed["error"]["code"] == "invalid"
