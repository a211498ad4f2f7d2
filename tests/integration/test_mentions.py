"""Mentions: who is mentioned, and the counts of mentions."""

import pytest

from tests.harness.people import NewPerson, Person
from tests.harness.servers import Server


@pytest.fixture
def trio(server: Server, new_person: NewPerson) -> tuple[Person, Person, Person, str]:
    """Ana, the manager of a room, its member Bob, and Eve, who is not a member."""
    ana, bob, eve = (new_person(server, name) for name in ("ana", "bob", "eve"))
    room = ana.create_room()
    ana.invite(room, bob)
    return ana, bob, eve, room


def test_mentions_are_counted_until_they_are_read(trio: tuple[Person, Person, Person, str]) -> None:
    ana, bob, _eve, room = trio
    ana_socket, bob_socket = ana.connect(), bob.connect()
    message = ana_socket.post(
        "Could you look, @Bob? Not @bob@example.com, @bobby, x@bob or https://x.example/@bob.", room
    )
    assert message["mentions"] == [bob.id]
    assert message["html"].count('class="mention"') == 1
    assert '<span class="mention" data-mention="bob">@Bob</span>' in message["html"]
    ana_socket.post("nothing", room)
    assert bob.sidebar_counts(room) == (2, 1)
    assert bob_socket.wait_for("news", 2)[0]["mentions"] == [bob.id]
    assert bob_socket.mark(room, 1)["mentions"] == 0
    assert bob.sidebar_counts(room) == (1, 0)


def test_only_other_members_are_mentioned(
    trio: tuple[Person, Person, Person, str],
) -> None:
    ana, _bob, eve, room = trio
    message = ana.connect().post("@eve @ana @nobody @all-of-you", room)
    assert message["mentions"] == []
    assert "mention" not in message["html"].replace("data-mentions", "")
    assert ana.sockets[0].post("@eve")["mentions"] == [eve.id]


def test_only_a_manager_mentions_all(trio: tuple[Person, Person, Person, str]) -> None:
    ana, bob, _eve, room = trio
    message = ana.connect().post("@all lunch", room)
    assert message["mentions"] == [bob.id]
    assert 'data-mention="all"' in message["html"]
    assert bob.sidebar_counts(room) == (1, 1)
    assert bob.connect().post("@all lunch", room)["mentions"] == []
    assert ana.sidebar_counts(room) == (1, 0)


def test_an_edit_replaces_mentions_and_a_deletion_removes_them(trio: tuple[Person, Person, Person, str]) -> None:
    ana, bob, _eve, room = trio
    socket = ana.connect()
    socket.post("hello", room)

    def edit(content: str) -> list[int]:
        message = socket.call("edit_message", {"conversation": room, "seq": 1, "content": content})["message"]
        return list(message["mentions"])

    assert edit("hello @bob") == [bob.id]
    assert bob.sidebar_counts(room) == (1, 1)
    assert edit("hello all") == []
    assert bob.sidebar_counts(room) == (1, 0)
    assert edit("@bob") == [bob.id]
    socket.call("delete_message", {"conversation": room, "seq": 1})
    assert bob.sidebar_counts(room) == (1, 0)


def test_mentions_are_rendered_on_the_page_and_survive_a_restart(
    server: Server, trio: tuple[Person, Person, Person, str]
) -> None:
    ana, bob, _eve, room = trio
    ana.connect().post("<b>@bob</b> & @bob", room)
    server.kill()
    server.start()
    page = bob.get("/rooms/" + room.removeprefix("room_")).text
    assert f'data-mentions="{bob.id}"' in page
    marked = '<span class="mention" data-mention="bob">@bob</span>'
    assert f"&lt;b&gt;{marked}&lt;/b&gt; &amp; {marked}</div>" in page
    assert bob.sidebar_counts(room) == (1, 1)
