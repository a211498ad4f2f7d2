"""Downloads of files from a real server: who may have them, with which memory, and what slow readers cost others."""

import os
import re
import socket
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import pytest
import requests

from tests.harness.people import NewPerson, Person
from tests.harness.servers import NewServer, Server
from tests.harness.stored_files import attach, file_store
from tests.harness.uploading import download, send_files, upload
from tests.harness.waiting import eventually, scaled

KEY = "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s="
PHOTO = {"name": "photo.png", "media_type": "image/png", "kind": "image"}


def file_url(conversation: str, content: bytes, name: str = "photo.png") -> str:
    return f"/conversations/{conversation}/files/{sha256(content).hexdigest()}/{name}"


@pytest.fixture
def two(any_server: Server, new_person: NewPerson) -> tuple[Person, Person, str]:
    """Two people in a private room. The first one has posted a picture."""
    ana, bob = new_person(any_server, "ana"), new_person(any_server, "bob")
    room = ana.create_room()
    ana.invite(room, bob)
    message = ana.connect().post("a picture", room)
    attach(any_server, room, message["seq"], b"picture", **PHOTO)
    return ana, bob, room


def test_members_get_the_file_and_nobody_else(two: tuple[Person, Person, str], new_person: NewPerson) -> None:
    ana, bob, room = two
    path = file_url(room, b"picture")
    eve = new_person(ana.server, "eve")
    for member in (ana, bob):
        response = member.get(path)
        assert (response.status_code, response.content) == (200, b"picture")
        assert response.headers["Content-Type"] == "image/png"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in response.headers["Content-Security-Policy"]
    assert eve.get(path).status_code == 404
    visitor = requests.get(ana.server.url + path, allow_redirects=False, timeout=scaled(30))
    assert "/sign-in" in visitor.headers["Location"]


def test_a_removed_member_gets_a_404_at_the_next_request(two: tuple[Person, Person, str]) -> None:
    ana, bob, room = two
    token = bob.create_token("read")
    assert bob.get(file_url(room, b"picture")).ok
    assert bob.api(token).get(file_url(room, b"picture")).content == b"picture"
    ana.remove(room, bob)
    for headers in ({}, {"If-None-Match": f'"{sha256(b"picture").hexdigest()}"'}, {"Range": "bytes=1-2"}):
        assert bob.get(file_url(room, b"picture"), headers=headers).status_code == 404
    assert bob.api(token).get(file_url(room, b"picture")).status_code == 404


def test_a_room_that_one_could_join_is_no_way_to_its_files(server: Server, ana: Person, bob: Person) -> None:
    room = ana.create_room(visibility="open")
    attach(server, room, ana.connect().post("a picture", room)["seq"], b"picture", **PHOTO)
    assert bob.get(file_url(room, b"picture")).status_code == 404
    bob.post(f"/rooms/{room.partition('_')[2]}/membership", f"/rooms/{room.partition('_')[2]}")
    assert bob.get(file_url(room, b"picture")).ok


def test_the_same_content_elsewhere_gives_no_access_here(two: tuple[Person, Person, str]) -> None:
    ana, bob, _ = two
    own = bob.create_room("Mine")
    assert bob.get(file_url(own, b"picture")).status_code == 404
    attach(bob.server, own, bob.connect().post("a copy", own)["seq"], b"picture", **PHOTO)
    assert bob.get(file_url(own, b"picture")).ok
    assert ana.get(file_url(own, b"picture")).status_code == 404
    assert ana.get(file_url("general", b"picture")).status_code == 404


def test_the_file_of_a_deleted_message_is_gone(two: tuple[Person, Person, str]) -> None:
    ana, bob, room = two
    ((seq,),) = ana.server.rows("SELECT seq FROM messages WHERE content = 'a picture'")
    assert ana.connect().call("delete_message", {"conversation": room, "seq": seq})["ok"]
    assert bob.get(file_url(room, b"picture")).status_code == 404


def test_tokens_download_files_and_thumbnails(server: Server, ana: Person) -> None:
    content = b"picture"
    attach(server, "general", ana.connect().post("a picture")["seq"], content, **PHOTO)
    digest = sha256(content).hexdigest()
    thumbnail = server.data_dir / "thumbnail"
    thumbnail.write_bytes(b"small picture")
    file_store(server).put(thumbnail, digest, "small")
    api = ana.api(ana.create_token("read"))
    path = file_url("general", content)
    assert api.get(path).content == content
    small = api.get(f"{path}?size=small")
    assert (small.content, small.headers["Content-Type"]) == (b"small picture", "image/webp")
    assert small.headers["ETag"] == f'"{digest}-small"'
    assert api.get(path, headers={"Range": "bytes=0-2"}).content == b"pic"
    for missing in (f"{path}?size=large", file_url("general", b"nothing")):
        response = api.get(missing)
        assert (response.status_code, response.json()["code"]) == (404, "not_found")
    assert api.get(f"{path}?size=huge").status_code == 400
    assert ana.get(f"{path}?size=huge").status_code == 400
    assert requests.get(f"{server.url}/api{path}", timeout=scaled(30)).status_code == 401


def test_what_is_no_digest_is_not_found(ana: Person) -> None:
    for digest in ("x", "..%2F..%2Fsecret_key", "A" * 64, "a" * 64):
        assert ana.get(f"/conversations/general/files/{digest}/name").status_code == 404


def memory_of(server: Server) -> int:
    """Return the most memory in bytes that a server has used."""
    status = Path(f"/proc/{server.pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) * 1_000


@pytest.mark.parametrize("key", ["", KEY], ids=["plain", "encrypted"])
def test_a_big_download_needs_little_memory(new_server: NewServer, new_person: NewPerson, key: str) -> None:
    server = new_server(CHATAPP_DATABASE_KEY=key) if key else new_server()
    if key:
        server.flask("encrypt-database")
    server.start()
    ana = new_person(server, "ana")
    content = os.urandom(1_000_000) * 60
    attach(server, "general", ana.connect().post("a film")["seq"], content, name="film.mp4", media_type="video/mp4")
    path = file_url("general", content, "film.mp4")
    assert ana.get(path, headers={"Range": "bytes=0-9"}).content == content[:10]
    before = memory_of(server)
    digest, size = sha256(), 0
    with ana.get(path, stream=True) as response:
        for piece in response.iter_content(1_000_000):
            digest.update(piece)
            size += len(piece)
    assert (size, digest.digest()) == (len(content), sha256(content).digest())
    assert memory_of(server) - before < 20_000_000
    # Several requests on one connection, as a player sends them when somebody seeks.
    for start in (50_000_000, 10, 30_000_000):
        part = ana.get(path, headers={"Range": f"bytes={start}-{start + 99}"})
        assert (part.status_code, part.content) == (206, content[start : start + 100])


def test_slow_readers_hold_no_database_connection_and_end(new_server: NewServer, new_person: NewPerson) -> None:
    server = new_server(CHATAPP_HTTP_TIMEOUT_SECONDS="3").start()
    ana = new_person(server, "ana")
    content = os.urandom(1_000_000) * 30
    attach(server, "general", ana.connect().post("a film")["seq"], content, name="film.mp4", media_type="video/mp4")
    request = f"GET {file_url('general', content, 'film.mp4')} HTTP/1.1\r\nHost: x\r\nCookie: {ana.cookie}\r\n\r\n"
    request = request.replace("Host: x", f"Host: {server.url.removeprefix('http://')}")
    readers = []
    for _ in range(60):  # More than there are connections to the database.
        reader = socket.create_connection(("127.0.0.1", server.port), timeout=scaled(30))
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        reader.sendall(request.encode())
        assert reader.recv(12) == b"HTTP/1.1 200"
        readers.append(reader)
    assert ana.get("/").ok
    chat = ana.connect()
    assert chat.post("hello")["content"] == "hello"
    # They hold no thread either: files are uploaded and downloaded beside them.
    ack = send_files(chat, upload(server, chat, "notes.txt", b"hello"))
    assert download(ana, ack["message"]) == [b"hello"]

    def open_files() -> int:
        names = []
        for each in Path(f"/proc/{server.pid}/fd").iterdir():
            with suppress(FileNotFoundError):
                names.append(str(each.readlink()))
        return sum("/files/" in name for name in names)

    eventually(lambda: open_files() == 0, "the responses have ended")
    for reader in readers:
        reader.close()
