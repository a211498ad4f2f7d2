"""The page with all messages that mention somebody."""

import re

from selectolax.lexbor import LexborHTMLParser

from tests.harness.html import find_element
from tests.harness.people import NewPerson, Person
from tests.harness.servers import Server


def listed(person: Person, path: str = "/mentions") -> list[str]:
    return [element.text() for element in LexborHTMLParser(person.get(path).text).css(".listed-text")]


def test_mentions_are_listed_unread_first_from_what_one_may_read(any_server: Server, new_person: NewPerson) -> None:
    ana, bob = (new_person(any_server, name) for name in ("ana", "bob"))
    design, plans = ana.create_room("Design"), ana.create_room("Plans")
    for room in (design, plans):
        ana.invite(room, bob)
    socket, reader = ana.connect(), bob.connect()
    socket.post("@bob one", design)
    socket.post("@bob two", plans)
    socket.post("nobody", plans)
    deleted = socket.post("@bob deleted", plans)["seq"]
    socket.post("@bob three", design)
    socket.call("delete_message", {"conversation": plans, "seq": deleted})
    assert listed(bob) == ["@bob three", "@bob two", "@bob one"]
    assert listed(ana) == []
    reader.mark(design, 2)
    assert listed(bob) == ["@bob two", "@bob three", "@bob one"]
    assert find_element(bob.get("/").text, "[data-inbox=mentions]").text().startswith("1")

    response = bob.post(f"/conversations/{plans}/read", "/mentions", seq="1", **{"from": "mentions"})
    assert response.url.endswith("/mentions")
    assert listed(bob) == ["@bob three", "@bob two", "@bob one"]

    assert ana.post(f"/rooms/{plans[5:]}/members/{bob.id}/remove").ok
    assert listed(bob) == ["@bob three", "@bob one"]


def test_mentions_have_pages(any_server: Server, new_person: NewPerson) -> None:
    ana, bob = (new_person(any_server, name) for name in ("ana", "bob"))
    socket = ana.connect()
    for number in range(1, 111):
        socket.post(f"@bob {number}")
    bob.connect().mark("general", 20)
    texts, path = list[str](), "/mentions"
    while path:
        html = bob.get(path).text
        texts += [element.text() for element in LexborHTMLParser(html).css(".listed-text")]
        link = re.search(r'href="(/mentions\?[^"]+)"', html)
        path = link[1] if link else ""
    assert texts == [f"@bob {number}" for number in range(110, 0, -1)]
