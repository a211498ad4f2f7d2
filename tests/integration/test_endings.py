"""Sign-ins and memberships end on sockets that are open, whoever ends them and wherever."""

import pytest
import socketio

from tests.harness.people import PASSWORD, NewPerson, Person
from tests.harness.servers import NewServer, Server
from tests.harness.waiting import eventually

SOON = 2.0
"""Seconds in which an open socket is closed: within one, and a little for a machine that does much else."""


@pytest.fixture
def neighbours(new_server: NewServer, database_url: str) -> tuple[Server, Server]:
    """Two processes on one database, without Redis: neither tells the other anything."""
    first = new_server(database_url=database_url).start()
    second = new_server(database_url=database_url or f"sqlite:///{first.data_dir / 'chatapp.sqlite3'}")
    (second.data_dir / "secret_key").write_text((first.data_dir / "secret_key").read_text())
    return first, second.start()


def test_what_ends_on_one_process_ends_on_the_other_though_nobody_tells_it(
    neighbours: tuple[Server, Server], new_person: NewPerson
) -> None:
    first, second = neighbours
    ana, bob, eve = (new_person(first, name) for name in ("ana", "bob", "eve"))
    room = ana.create_room()
    for person in (bob, eve):
        ana.invite(room, person)
    his, hers = (person.on_server(second).connect() for person in (bob, eve))
    his.join(room)
    ana.remove(room, bob)
    eventually(lambda: his.payloads("removed_from_chat"), "he is out", timeout=SOON)
    assert his.call("join_chat", {"conversation": room})["error"]["code"] == "not_found"
    assert hers.call("join_chat", {"conversation": room})["ok"]
    eve.post("/sign-out")
    eventually(lambda: not hers.is_connected(), "her socket is closed", timeout=SOON)
    assert his.is_connected()


def test_whom_the_shell_bans_is_out_at_once_and_may_be_let_back(server: Server, ana: Person, bob: Person) -> None:
    hers, his = ana.connect(), bob.connect()
    his.join()
    server.flask("users", "ban", "@Bob")
    eventually(lambda: not his.is_connected(), "his socket is closed", timeout=SOON)
    assert his.payloads("signed_out") == [{}]
    assert bob.get("/", allow_redirects=False).status_code == 302
    assert bob.sign_in().status_code == 403
    with pytest.raises(socketio.exceptions.ConnectionError):
        bob.connect()
    assert hers.post("without him")["seq"] == 1
    server.flask("users", "unban", "bob")
    assert bob.sign_in(PASSWORD).url == server.url + "/"
    assert bob.connect().join()["messages"][0]["content"] == "without him"


def test_an_admin_bans_on_the_page_and_nobody_bans_the_owner(server: Server, ana: Person, bob: Person) -> None:
    his = bob.connect()
    assert "Ban" not in bob.get("/people").text
    assert bob.post("/people/ana/ban").status_code == 403
    assert "Ban Ana" not in ana.get("/people").text
    page = ana.post("/people/bob/ban", "/people").text
    assert "@bob was banned" in page
    assert "Unban Bob" in page
    eventually(lambda: not his.is_connected(), "his socket is closed", timeout=SOON)
    assert ana.post("/people/ana/ban", "/people").status_code == 403
    assert ana.post("/people/nobody/ban", "/people").status_code == 404
    assert "can sign in again" in ana.post("/people/bob/ban/remove", "/people").text
    assert bob.sign_in().ok
