"""What a person can jump to: only people and conversations that they may know about."""

from selectolax.lexbor import LexborHTMLParser

from tests.harness.people import NewPerson, Person, room_path
from tests.harness.servers import Server


def destinations(person: Person, text: str = "") -> dict[str, str]:
    """Return the text of each destination, by its path."""
    options = LexborHTMLParser(person.get("/destinations", params={"text": text}).text).css("[role=option]")
    return {str(option.attributes["href"]): " ".join(option.text().split()) for option in options}


def test_nobody_sees_what_they_may_not_know_about(any_server: Server, new_person: NewPerson) -> None:
    ana, bob, eve = (new_person(any_server, name) for name in ("ana", "bob", "eve"))
    private, public = ana.create_room("Plans, private"), ana.create_room("Plans for all", visibility="open")
    archived, left = ana.create_room("Plans, old"), ana.create_room("Plans, closed", visibility="open")
    ana.invite(archived, bob)
    for room in (archived, left):
        ana.post(f"{room_path(room)}/archive")
    ana.connect().post("hello", ana.open_direct(bob))
    session = ana.post("/sessions", assistant="helper")
    ana.post(session.url.removeprefix(any_server.url) + "/title", title="Plans, session")

    assert destinations(bob, "plan") == {
        room_path(public): "Plans for all Not joined",
        room_path(archived): "Plans, old (private) Read-only",
    }
    assert room_path(private) in destinations(ana, "plan")
    accented = ana.create_room("Ödön's Café", visibility="open")
    eve.post("/settings/name", "/settings", name="Ève Çelik")
    for text in ("öd", "ÖDÖN", "odon", "café", "CAFE"):
        assert room_path(accented) in destinations(bob, text), text
    for text in ("ève", "Eve", "ÇEL", "celik"):
        assert destinations(bob, text) == {"/direct/eve": "Ève Çelik @eve"}, text
    eve.post("/settings/name", "/settings", name="Eve")
    assert "Plans, session" in destinations(ana, "PLANS, S").values()
    assert destinations(bob, "@an") == {"/direct/ana": "Ana @ana"}
    assert destinations(bob, "bo") == {"/direct/bob": "Bob (you) @bob", "/direct/ana": "Ana"}
    assert destinations(eve, "bo") == {"/direct/bob": "Bob @bob"}
    ana.post("/people/bob/ban", "/people/bob/ban")
    assert destinations(eve, "bo") == {}
    assert destinations(eve, "%") == {}
    assert eve.get("/destinations", params={"text": "\0"}).status_code == 400


def test_conversations_to_search_in_are_those_that_one_may_read(ana: Person, bob: Person) -> None:
    joined, secret = ana.create_room("Plans: of “us”"), bob.create_room("Plans 3")
    bob.create_room("Plans 2")
    bob.invite(secret, ana)

    def values(person: Person, text: str = "") -> list[str | None]:
        page = LexborHTMLParser(person.get("/destinations/conversations", params={"text": text}).text)
        return [option.attributes["data-value"] for option in page.css("[role=option]")]

    assert set(values(ana, "plans")) >= {joined, "plans-3"}
    assert "plans-2" not in values(ana)
    assert not {"plans-3", joined} & set(values(bob, "of"))
    bob.remove(secret, ana)
    assert "plans-3" not in values(ana)


def test_a_search_in_a_completed_conversation_finds_its_messages(ana: Person) -> None:
    names = ["Two  words", "with: colon", "#hash", "-minus", "“quoted”", "Zoë’s ÄÖ", "東京 会議", "in:x", "a\u00a0b"]
    rooms, socket, api = {ana.create_room(name): name for name in names}, ana.connect(), ana.api()
    for room, name in rooms.items():
        socket.post(f"about {name}", room)
    page = LexborHTMLParser(ana.get("/destinations/conversations").text)
    options = [option.attributes for option in page.css("[role=option]")]
    found = {
        option["data-name"]: [
            message["conversation"]
            for message in api.get("/search", params={"q": f"in:{option['data-value']}"}).json()["messages"]
        ]
        for option in options
        if option["id"] != "in-general" and (option["id"] or "").startswith("in-room_")
    }
    assert sorted(room for (room,) in found.values()) == sorted(rooms)
