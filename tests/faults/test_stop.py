"""A graceful stop: every commit is acknowledged, and clients receive a delay for their reconnect."""

import os
import time
from contextlib import closing

import pytest
import requests

from tests.harness.audit import Participant, audit, chatting, stored_rows, wait_until_all_have_sent
from tests.harness.people import NewPerson, Person
from tests.harness.servers import NewServer, Server
from tests.harness.stored_files import attach
from tests.harness.uploading import Uploading, download, send_files
from tests.harness.waiting import eventually

pytestmark = pytest.mark.faults


def test_a_stop_under_load_takes_less_than_ten_seconds_and_acknowledges_every_commit(
    new_server: NewServer, new_person: NewPerson, database_url: str
) -> None:
    server = new_server(database_url=database_url, CHATAPP_GENERAL_KEEP_LAST="0").start()
    people = [new_person(server, name) for name in ("ana", "bob")]
    participants = [
        Participant(person, "general", f"{person.username} {n}", pause=0, edit_every=5)
        for person in people
        for n in range(3)
    ]

    def unacknowledged() -> set[str]:
        return {row.client_id for row in stored_rows(server, "general")}.difference(
            *(participant.acknowledged for participant in participants)
        )

    with chatting(*participants):
        for _ in range(3):
            wait_until_all_have_sent(participants)
            start = time.monotonic()
            assert server.terminate() == 0
            assert time.monotonic() - start < 10
            eventually(lambda: not unacknowledged(), "all stored messages are acknowledged")
            server.start()
    audit(server, *participants)


def test_each_client_gets_a_different_delay_for_its_reconnect(server: Server, ana: Person, bob: Person) -> None:
    sockets = [person.connect() for person in (ana, bob) for _ in range(4)]
    server.terminate()
    times = [socket.wait_for("restarting")[0]["reconnect_after"] for socket in sockets]
    assert all(0 < each <= 5000 for each in times)
    assert len(set(times)) > 1


def test_a_stop_ends_downloads_and_uploads_which_continue_where_they_ended(server: Server, ana: Person) -> None:
    content = os.urandom(1_000_000) * 30
    chat = ana.connect()
    file = attach(server, "general", chat.post("a film")["seq"], content, name="film.mp4", media_type="video/mp4")
    path = f"/conversations/general/files/{file.digest}/film.mp4"
    uploading = Uploading.begin(server, chat, "film.mp4", len(content))
    with closing(uploading.begin_patch(content[:5_000_000], 0, len(content))), ana.get(path, stream=True) as response:
        pieces = response.iter_content(100_000)
        received = [next(pieces)]
        stored = server.data_dir / "uploads" / uploading.id
        eventually(lambda: stored.stat().st_size > 0, "bytes are stored")
        start = time.monotonic()
        assert server.terminate() == 0
        assert time.monotonic() - start < 10
        with pytest.raises(requests.RequestException):  # The client knows that the file is not complete.
            received.extend(pieces)
    server.start()
    downloaded = b"".join(received)
    headers = {"Range": f"bytes={len(downloaded)}-", "If-Range": response.headers["ETag"]}
    rest = ana.get(path, headers=headers)
    assert rest.status_code == 206
    assert downloaded + rest.content == content
    offset = uploading.offset()
    assert 0 < offset <= 5_000_000
    assert uploading.patch(content[offset:], offset).status_code == 204
    ack = send_files(ana.connect(), uploading)
    assert download(ana, ack["message"]) == [content]
