"""Searching messages over the API."""

from tests.harness.people import NewPerson, Person
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


def test_what_only_looks_like_a_filter_is_named_beside_the_results(any_server: Server, new_person: NewPerson) -> None:
    ana = new_person(any_server, "ana")
    ana.connect().post("the dish has:fish")
    found = ana.api().get("/search", params={"q": "has:fish"}).json()
    assert [hit["excerpt"] for hit in found["messages"]] == ["the dish has:fish"]
    assert found["hints"] == ["has:fish is not a filter: has: takes link, file, code, reaction, pin or thread."]
    assert found["hints"][0] in ana.get("/search?q=has:fish").text
    assert ana.api().get("/search", params={"q": "has:link"}).json()["hints"] == []


def test_excerpts_hide_spoilers(server: Server, ana: Person) -> None:
    ana.connect().post("the end of the book: ||they all find the needle||")
    (hit,) = ana.api().get("/search", params={"q": "needle"}).json()["messages"]
    assert (hit["excerpt"].strip(), hit["matches"]) == ("the end of the book: (spoiler)", [])
    assert "they all" not in ana.get("/search?q=needle").text


def test_a_link_leads_to_the_following_part_of_the_same_search(any_server: Server, new_person: NewPerson) -> None:
    ana = new_person(any_server, "ana")
    socket, api = ana.connect(), ana.api()
    for number in range(1, 4):
        socket.post(f"needle & thread {number}")
    socket.post("needle")
    response = api.get("/search", params={"q": '"needle & thread" ', "limit": 2})
    assert response.links["next"]["url"] == response.json()["next"]
    rest = api.get(response.json()["next"].removeprefix("/api")).json()
    pages = [[hit["message"]["seq"] for hit in page["messages"]] for page in (response.json(), rest)]
    assert (pages, rest["next"]) == ([[3, 2], [1]], None)
