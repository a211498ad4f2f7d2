"""The disk is full while people upload files: errors are clear, nothing acknowledged is lost, and nothing is left."""

from itertools import count
from pathlib import Path

import pytest
import requests

from tests.harness.full_disk import FullDisk
from tests.harness.html import find_csrf_token
from tests.harness.media import draw, encode
from tests.harness.people import NewPerson
from tests.harness.servers import NewServer, Server
from tests.harness.stored_files import delete_uploads, file_store, let_hours_pass
from tests.harness.uploading import Uploading
from tests.harness.waiting import scaled

pytestmark = pytest.mark.faults

MESSAGES = "/conversations/general/messages"


@pytest.fixture
def server(new_server: NewServer) -> Server:
    """A server that uses the disk to the end."""
    return new_server(CHATAPP_FREE_DISK_MB="0", CHATAPP_UPLOADS_PER_MINUTE="0")


@pytest.fixture
def disk(server: Server) -> FullDisk:
    disk = FullDisk(server)
    server.start()
    return disk


def list_files(folder: Path) -> set[Path]:
    return {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}


def picture(number: int) -> bytes:
    """Return a picture that no other number has."""
    return encode(draw(30 + number, 40), "PNG")


def patch(uploading: Uploading, content: bytes) -> requests.Response:
    """Continue an upload where the server stands."""
    offset = uploading.offset()
    return uploading.patch(content[offset:], offset)


def is_refused(response: requests.Response) -> bool:
    """Return whether the disk was full. All other responses must be successes."""
    if response.ok:
        return False
    assert (response.status_code, response.json()["code"]) == (507, "storage_full"), response.text
    assert response.json()["detail"] == "The disk of the server is full. Try again later, or ask an admin."
    return True


def sweep(server: Server) -> None:
    """Remove what nothing refers to, as two sweeps do with hours between them."""
    server.terminate()
    for _ in range(2):
        delete_uploads(server)
        server.flask("files", "sweep")
        let_hours_pass(server)
    server.flask("files", "sweep")


def test_uploads_are_refused_and_continue_at_whichever_step_the_disk_becomes_full(
    server: Server, disk: FullDisk, new_person: NewPerson
) -> None:
    api = new_person(server, "ana").api()

    def begin(size: int) -> requests.Response:
        return api.post("/uploads", json={"name": "picture.png", "size": size})

    def uploading(created: requests.Response) -> Uploading:
        return Uploading(server, created.json()["id"], created.json()["url"], created.json()["size"])

    def post(created: requests.Response) -> requests.Response:
        return api.post(MESSAGES, json={"content": "", "files": [{"upload": created.json()["id"]}]})

    for calls in count():
        content = picture(calls)
        before = list_files(server.data_dir / "uploads")
        disk.fill_after(calls)
        created = begin(len(content))
        if is_refused(created):
            assert list_files(server.data_dir / "uploads") == before
            disk.clear()
            created = begin(len(content))
        elif is_refused(patch(uploading(created), content)):
            early = post(created)
            # It may be complete already, and only the name of its description is perhaps not on the disk yet.
            assert early.ok or early.json()["code"] == "invalid_upload", early.text
            disk.clear()
        elif disk.clear() <= calls:
            break
        assert patch(uploading(created), content).status_code == 204
        posted = post(created)
        assert posted.status_code == 201, posted.text
    assert calls > 20
    assert "Traceback" not in server.log()
    assert server.flask("files", "check", "--contents") == "The files of all messages are stored.\n"
    digests = {str(digest) for (digest,) in server.rows("SELECT digest FROM attachments")}
    assert len(digests) >= calls
    sweep(server)
    assert {digest for digest, _ in file_store(server).list_digests()} == digests
    assert list_files(server.data_dir / "uploads") == set()
    assert not [path for path in list_files(server.data_dir / "files") if path.name.startswith(".")]


def test_an_avatar_is_refused_or_stored_at_whichever_step_the_disk_becomes_full(
    server: Server, disk: FullDisk, new_person: NewPerson
) -> None:
    ana = new_person(server, "ana")
    token = find_csrf_token(ana.get("/settings/picture").text)
    refused = 0
    for calls in count(step=5):
        disk.fill_after(calls)
        url, fields = f"{server.url}/settings/picture", {"csrf_token": token}
        files = {"picture": ("me.png", picture(calls))}
        response = ana.http.post(url, data=fields, files=files, timeout=scaled(30))
        if response.ok and disk.clear() <= calls:
            break
        if not response.ok:
            disk.clear()
            assert response.status_code == 507
            assert "The disk of the server is full. Try again later, or ask an admin." in response.text
            refused += 1
        assert list_files(server.data_dir / "uploads") == set()
    assert refused > 5
    assert "Traceback" not in server.log()
    ((digest,),) = server.rows("SELECT avatar_digest FROM users")
    sweep(server)
    assert [digest for digest, _ in file_store(server).list_digests()] == [digest]
