"""Searching messages over the API."""

from tests.harness.people import NewPerson
from tests.harness.servers import Server


def test_the_api_finds_messages_with_the_places_of_the_matches(any_server: Server, new_person: NewPerson) -> None:
    ana, bob = (new_person(any_server, name) for name in ("ana", "bob"))
    room = ana.create_room()
    ana.connect().post("the first needle", room)
    found = ana.api().get("/search", params={"q": "needle "}).json()
    (hit,) = found["messages"]
    assert (hit["conversation"], hit["message"]["seq"], hit["excerpt"]) == (room, 1, "the first needle")
    assert hit["matches"] == [{"begin": 10, "end": 16}]
    assert (found["next"], found["indexing"]) == (None, False)
    assert bob.api().get("/search", params={"q": "needle"}).json()["messages"] == []
