"""The page with all messages that mention somebody."""

import re

from selectolax.lexbor import LexborHTMLParser

from chatapp.timeline.mention_inbox import select_read, select_unread
from tests.harness.api import check_problem
from tests.harness.html import find_element
from tests.harness.people import NewPerson, Person
from tests.harness.plans import explain
from tests.harness.rows import fill_general
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


def test_mentions_are_read_over_the_api(any_server: Server, new_person: NewPerson) -> None:
    ana, bob = (new_person(any_server, name) for name in ("ana", "bob"))
    socket = ana.connect()
    for number in range(1, 8):
        socket.post(f"@bob {number}")
    bob.connect().mark("general", 4)
    api = bob.api()

    def walk(path: str, relation: str) -> list[list[tuple[str, bool]]]:
        pages = []
        while path:
            body = api.get(path).json()
            assert (body["total"], body["limit"]) == (3 if "only" in path else 7, 3)
            pages.append([(each["message"]["content"], each["is_unread"]) for each in body["mentions"]])
            path = (body[relation] or "").removeprefix("/api")
        return pages

    numbered = [(f"@bob {number}", number > 4) for number in range(1, 8)]
    assert walk("/mentions?limit=3", "previous") == [numbered[4:], numbered[1:4], numbered[:1]]
    assert walk("/mentions?limit=3&after=0", "next") == [numbered[:3], numbered[3:6], numbered[6:]]
    assert walk("/mentions?limit=3&only=unread", "previous") == [numbered[4:]]
    assert ana.api().get("/mentions").json()["mentions"] == []
    assert check_problem(api.get("/mentions?only=read")) == (400, "invalid")


def test_mentions_are_counted_up_to_a_limit(server: Server, ana: Person) -> None:
    api = ana.api()
    fill_general(server, 1_010)
    columns = f"SELECT id, {ana.id}, conversation_id, seq FROM messages"
    server.execute(f"INSERT INTO mentions (message_id, user_id, conversation_id, seq) {columns}")
    for query in ("", "?only=unread"):
        assert api.get(f"/mentions{query}").json()["total"] == 1_000


def test_the_inbox_neither_scans_nor_sorts_all_mentions(any_server: Server, new_person: NewPerson) -> None:
    ana, bob = (new_person(any_server, name) for name in ("ana", "bob"))
    socket = ana.connect()
    for number in range(20):
        socket.post(f"@bob {number}")
    bob.connect().mark("general", 18)
    engine = any_server.engine()
    with engine.connect() as connection:
        unread, read = (
            explain(
                connection,
                str(query.limit(5).compile(engine, compile_kwargs={"literal_binds": True})),
                may_sort=may_sort,
            )
            for query, may_sort in ((select_unread(bob.id), True), (select_read(bob.id), False))
        )
    assert "ix_mentions_user_id_conversation_id_seq" in unread
    assert "ix_mentions_user_id_message_id" in read
    assert "sort" not in read.lower()
    assert "temp b-tree" not in read.lower()
