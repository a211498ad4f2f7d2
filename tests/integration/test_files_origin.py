"""The origin of files: files with a valid ticket, and nothing else."""

import json
from base64 import urlsafe_b64encode
from hashlib import sha256
from urllib.parse import urlsplit

import pytest
import requests

from tests.harness.people import Person
from tests.harness.rows import add_people
from tests.harness.servers import NewServer, Server
from tests.harness.stored_files import attach
from tests.harness.waiting import eventually, scaled

CONTENT = bytes(range(256)) * 100
DIGEST = sha256(CONTENT).hexdigest()
PHOTO = {"name": "Ünïcode photo.png", "media_type": "image/png", "kind": "image"}
PATH_NAME = "%C3%9Cn%C3%AFcode%20photo.png"
HOST = "files.example.net"


@pytest.fixture(scope="module")
def server(new_shared_server: NewServer) -> Server:
    settings = {"CHATAPP_FILES_ORIGIN": f"http://{HOST}:8000", "CHATAPP_FILES_URL_SECONDS": "600"}
    return new_shared_server(CHATAPP_ALLOWED_HOSTS="127.0.0.1", **settings).start()


@pytest.fixture(scope="module")
def ana(server: Server) -> Person:
    return add_people(server, "ana")[0]


@pytest.fixture(scope="module")
def path(server: Server, ana: Person) -> str:
    """The path of a picture in a private room."""
    room = ana.create_room()
    attach(server, room, ana.connect().post("a picture", room)["seq"], CONTENT, **PHOTO)
    return f"/conversations/{room}/files/{DIGEST}/{PATH_NAME}"


def redirected(person: Person, path: str) -> str:
    """Return the path to which the application redirects a request for a file."""
    response = person.get(path, allow_redirects=False)
    assert (response.status_code, response.headers["Cache-Control"]) == (302, "private, no-store")
    url = urlsplit(response.headers["Location"])
    assert (url.scheme, url.netloc) == ("http", f"{HOST}:8000")
    return url.path


def load(server: Server, path: str, method: str = "GET", **headers: str) -> requests.Response:
    """Request a path of the origin of files."""
    named = {name.replace("_", "-"): value for name, value in headers.items()} | {"Host": HOST}
    return requests.request(method, server.url + path, headers=named, allow_redirects=False, timeout=scaled(30))


def test_a_file_is_loaded_from_its_own_origin_without_a_cookie(server: Server, ana: Person, path: str) -> None:
    ticket_path = redirected(ana, path)
    response = load(server, ticket_path)
    assert (response.status_code, response.content) == (200, CONTENT)
    assert response.headers["Content-Type"] == "image/png"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in response.headers["Content-Security-Policy"]
    assert response.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert response.headers["Content-Disposition"].startswith("inline")
    assert "Set-Cookie" not in response.headers
    kind, seconds = response.headers["Cache-Control"].split("=")
    assert kind == "private, max-age"
    assert 0 < int(seconds) <= 600
    part = load(server, ticket_path, Range="bytes=10-19")
    assert (part.status_code, part.content, part.headers["ETag"]) == (206, CONTENT[10:20], f'"{DIGEST}"')
    assert load(server, ticket_path, If_None_Match=f'"{DIGEST}"').status_code == 304
    head = load(server, ticket_path, "HEAD")
    assert (head.status_code, head.headers["Content-Length"]) == (200, str(len(CONTENT)))


def test_a_file_to_be_saved_is_sent_as_an_attachment(server: Server, ana: Person, path: str) -> None:
    response = load(server, redirected(ana, f"{path}?download=1"))
    assert response.headers["Content-Disposition"].startswith("attachment")


def test_a_token_is_redirected_too(server: Server, ana: Person, path: str) -> None:
    api = ana.api(ana.create_token("read"))
    response = api.get(path, allow_redirects=False)
    assert load(server, urlsplit(response.headers["Location"]).path).content == CONTENT


def test_only_readers_of_the_conversation_get_a_ticket(server: Server, path: str) -> None:
    (eve,) = add_people(server, "eve")
    assert eve.get(path, allow_redirects=False).status_code == 404
    visitor = requests.get(server.url + path, allow_redirects=False, timeout=scaled(30))
    assert "/sign-in" in visitor.headers["Location"]


def test_a_foreign_host_name_gets_no_ticket_which_would_lead_back_to_it(ana: Person, path: str) -> None:
    assert ana.get(path, headers={"Host": "evil.example"}, allow_redirects=False).status_code == 400


def test_thumbnails_stay_on_the_origin_of_pages(ana: Person, path: str) -> None:
    # There is none of this picture.
    assert ana.get(f"{path}?size=small", allow_redirects=False).status_code == 404


def test_nothing_else_is_served_there_also_to_people_who_are_signed_in(server: Server, ana: Person, path: str) -> None:
    ticket = redirected(ana, path).split("/")[2]
    forged = urlsafe_b64encode(json.dumps([server.url, "text/html", False, 1, 2**40]).encode()).decode().rstrip("=")
    others = ("/files/x", f"/files/{ticket}", f"/files/{ticket}/other.png", f"/files/{ticket}x/{PATH_NAME}")
    paths = ("/", path, "/health", "/static/css/app.css", "/sign-in", "/api/conversations", "/files/", *others)
    for each in (*paths, "/socket.io/?EIO=4&transport=polling", f"/files/{forged}.x/{PATH_NAME}", "/files/%ff/%ff"):
        response = load(server, each, Cookie=ana.cookie)
        assert (response.status_code, response.text) == (404, "404 Not Found\n"), each
        assert "Set-Cookie" not in response.headers
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
        assert load(server, redirected(ana, path), method).status_code == 404


def test_a_ticket_is_worth_nothing_on_the_origin_of_pages(ana: Person, path: str) -> None:
    assert ana.get(redirected(ana, path)).status_code == 404


def test_requests_are_counted_in_the_metrics(server: Server, ana: Person, path: str) -> None:
    ticket_path = redirected(ana, path)
    labels = 'method="GET",route="/files/<ticket>/<name>",status="200"', 'method="",route="",status="404"'

    def counts() -> list[float]:
        lines = ana.get("/metrics").text.splitlines()
        names = ("chatapp_http_request_seconds_count", *(f"chatapp_http_requests_total{{{each}}}" for each in labels))
        return [float(line.split()[-1]) for name in names for line in lines if line.startswith(f"{name} ")]

    load(server, f"{ticket_path}x", "PUT")
    load(server, ticket_path)
    before = counts()
    load(server, f"{ticket_path}x", "PUT")
    load(server, ticket_path)
    # The first request to `/metrics` is counted too.
    assert [now - then for now, then in zip(counts(), before, strict=True)] == [3, 1, 1]


def test_pages_may_load_files_from_that_origin(ana: Person) -> None:
    policy = ana.get("/").headers["Content-Security-Policy"]
    assert f"img-src 'self' http://{HOST}:8000 data:;" in policy
    assert f"media-src 'self' http://{HOST}:8000;" in policy


def test_an_expired_url_leads_back_to_the_application_which_decides_again(
    new_server: NewServer,
) -> None:
    settings = {"CHATAPP_FILES_ORIGIN": f"http://{HOST}", "CHATAPP_FILES_URL_SECONDS": "2"}
    server = new_server(CHATAPP_ALLOWED_HOSTS="127.0.0.1", **settings).start()
    ana, bob = add_people(server, "ana", "bob")
    room = ana.create_room()
    ana.invite(room, bob)
    attach(server, room, ana.connect().post("a picture", room)["seq"], CONTENT, **PHOTO)
    path = f"/conversations/{room}/files/{DIGEST}/{PATH_NAME}"
    location = bob.get(f"{path}?download=1", allow_redirects=False).headers["Location"]
    ticket_path = urlsplit(location).path

    eventually(lambda: load(server, ticket_path).status_code == 302, "the URL has expired")
    expired = load(server, ticket_path)
    assert expired.headers["Location"] == f"{server.url}{path}?download=1"
    assert expired.headers["Cache-Control"] == "no-store"
    assert bob.get(f"{path}?download=1", allow_redirects=False).headers["Location"] != location
    ana.remove(room, bob)
    assert bob.get(f"{path}?download=1", allow_redirects=False).status_code == 404
