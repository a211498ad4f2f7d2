"""Direct conversations: one for each set of people, invisible to all others."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.harness.html import rendered_messages
from tests.harness.people import NewPerson, Person, message_payload
from tests.harness.servers import Server


@pytest.fixture
def people(server: Server, new_person: NewPerson) -> tuple[Person, Person, Person]:
    """Ana, who is the admin, Bob and Eve."""
    ana, bob, eve = (new_person(server, name) for name in ("ana", "bob", "eve"))
    return ana, bob, eve


def test_two_people_who_open_their_conversation_at_once_get_the_same_one(
    any_server: Server, new_person: NewPerson
) -> None:
    ana, bob = new_person(any_server, "ana"), new_person(any_server, "bob")
    for person in (ana, bob):
        person.get("/")  # From now on the CSRF token of all forms is the same.
    with ThreadPoolExecutor(20) as pool:
        opened = set(pool.map(lambda number: ana.open_direct(bob) if number % 2 else bob.open_direct(ana), range(40)))
    assert len(opened) == 1
    assert any_server.rows("SELECT count(*) FROM conversations WHERE kind = 'direct'") == [(1,)]
    (name,) = opened
    ana_socket, bob_socket = ana.connect(), bob.connect()
    ana_socket.join(name)
    bob_socket.join(name)
    ana_socket.post("hello bob", name)
    bob_socket.post("hello ana", name)
    ana_socket.wait_for_contents("hello bob", "hello ana", conversation=name)
    assert [text for _, text in rendered_messages(bob.get("/direct/ana").text)] == ["hello bob", "hello ana"]


def test_a_conversation_with_oneself_is_a_notepad(people: tuple[Person, Person, Person]) -> None:
    ana, bob, _eve = people
    name = ana.open_direct(ana)
    ana.connect().post("buy milk", name)
    assert "Ana (you)" in ana.get("/direct/ana").text
    assert bob.open_direct(ana) != name
    assert "buy milk" not in bob.get("/direct").text


def test_each_set_of_people_has_one_conversation_in_any_order(people: tuple[Person, Person, Person]) -> None:
    ana, bob, eve = people
    name = ana.open_direct(bob, eve)
    assert name == eve.open_direct(ana, bob) == bob.open_direct(eve, bob, ana, bob)
    assert len({name, ana.open_direct(bob), ana.open_direct(eve), bob.open_direct(eve)}) == 4
    for person in people:
        person.connect().post(f"from {person.username}", name)
    page = ana.get("/direct/bob,eve").text
    assert [text for _, text in rendered_messages(page)] == ["from ana", "from bob", "from eve"]
    assert ana.get("/direct/EVE,Bob,ana").url.endswith("/direct/bob,eve")
    assert ana.post("/direct", "/direct", person="bob").url.endswith("/direct/bob")


def test_a_visit_creates_nothing_and_offers_to_start_the_conversation(
    server: Server, people: tuple[Person, Person, Person]
) -> None:
    ana = people[0]
    for names, offer in (("bob", "Bob"), ("bob,eve", "Bob, Eve")):
        page = ana.get(f"/direct/{names}")
        assert (page.status_code, f"Start a conversation with <bdi>{offer}</bdi>?" in page.text) == (200, True)
    assert "Start your notepad?" in ana.get("/direct/ana").text
    assert ana.http.head(f"{server.url}/direct/bob").ok
    assert server.rows("SELECT count(*) FROM conversations WHERE kind = 'direct'") == [(0,)]
    started = ana.post("/direct", "/direct/bob", person="bob")
    assert started.url.endswith("/direct/bob")
    assert "data-conversation" in started.text
    assert server.rows("SELECT count(*) FROM conversations WHERE kind = 'direct'") == [(1,)]


def test_too_many_people_none_and_unknown_users_are_refused_with_the_reason(
    server: Server, people: tuple[Person, Person, Person]
) -> None:
    ana = people[0]
    others = [Person(server, f"person{number}") for number in range(10)]
    server.execute(
        "INSERT INTO users (username, name, password_hash, role, created_at) VALUES "
        + ", ".join(f"('{each.username}', 'Somebody', 'x', 'member', '2026-01-01 00:00:00')" for each in others)
    )
    assert ana.open_direct(*others[:9])
    response = ana.get("/direct/" + ",".join(person.username for person in others))
    assert (response.status_code, "at most 10 people" in response.text) == (400, True)
    for names in ("nobody", "bob,nobody", "bob,,eve", "%00", "b" * 500, "bob;eve", "<b>"):
        response = ana.get(f"/direct/{names}")
        assert (response.status_code, "no such user" in response.text) == (404, True), names
    nobody = ana.post("/direct", "/direct")
    assert (nobody.status_code, "at least one person" in nobody.text) == (400, True)
    # Refused before the names are looked up, of which the last ones do not exist.
    many = ana.post("/direct", "/direct", person=["bob", *(f"unknown{number}" for number in range(1_000))])
    assert (many.status_code, "at most 10 people" in many.text) == (400, True)


def test_others_including_admins_can_neither_read_nor_find_nor_change_anything(
    server: Server, people: tuple[Person, Person, Person]
) -> None:
    ana, bob, eve = people
    name = bob.open_direct(eve)
    bob_socket = bob.connect()
    bob_socket.join(name)
    bob_socket.post("between us", name)
    ana_socket = ana.connect()
    absent = "direct_999"
    for event, payload in (
        ("join_chat", {}),
        ("send_message", message_payload("from outside")),
        ("edit_message", {"seq": 1, "content": "changed"}),
        ("delete_message", {"seq": 1}),
        ("react", {"seq": 1, "reaction": "👍"}),
        ("mark_as_read", {"seq": 1}),
        ("mark_as_unread", {"seq": 1}),
    ):
        ack = ana_socket.call(event, payload | {"conversation": name})
        missing_ack = ana_socket.call(event, payload | {"conversation": absent})
        assert ack == missing_ack, event
        assert ack["error"]["code"] == "not_found", event
    for path in (f"/conversations/{name}/messages?before=9", f"/conversations/{absent}/messages?before=9"):
        assert ana.get(path).status_code == 404
    for page in ("/direct", "/", "/people", "/sidebar", "/direct/bob", "/direct/eve"):
        text = ana.get(page).text
        assert "between us" not in text, page
        assert name not in text, page
    bob_socket.post("still between us", name)
    assert ana_socket.payloads("news") == []
    assert ana_socket.messages(name) == []


def test_the_list_shows_the_latest_message_and_the_last_used_conversation_first(
    people: tuple[Person, Person, Person],
) -> None:
    ana, bob, eve = people
    with_bob, with_eve = ana.open_direct(bob), ana.open_direct(eve)
    assert "You have no direct messages yet" in ana.get("/direct").text
    bob.connect().post("line one", with_bob)
    eve.connect().post("line two", with_eve)
    eve.sockets[0].post("line three", with_eve)
    page = ana.get("/direct").text
    assert page.index("line three") < page.index("line one")
    assert "line two" not in page
    assert 'data-unread="2"' in page
    bob.sockets[0].post("line four", with_bob)
    page = ana.get("/direct").text
    assert page.index("line four") < page.index("line three")


def test_people_are_found_by_name_ignoring_case(people: tuple[Person, Person, Person]) -> None:
    ana = people[0]
    for words, found in (("EV", {"eve"}), ("@bob", {"bob"}), ("", {"ana", "bob", "eve"}), ("%", set()), ("zzz", set())):
        page = ana.get("/direct", params={"q": words}).text
        assert {name for name in ("ana", "bob", "eve") if f'value="{name}"' in page} == found, words


def test_a_blocked_user_can_read_but_not_post(people: tuple[Person, Person, Person]) -> None:
    ana, bob, eve = people
    name = ana.open_direct(bob)
    bob_socket = bob.connect()
    message = bob_socket.post("hello", name)
    assert ana.post("/direct/bob/block", "/direct/bob").ok
    for event, payload in (
        ("send_message", message_payload("again")),
        ("edit_message", {"seq": message["seq"], "content": "changed"}),
        ("react", {"seq": message["seq"], "reaction": "👍"}),
    ):
        assert bob_socket.call(event, payload | {"conversation": name})["error"]["code"] == "forbidden", event
    assert bob_socket.join(name)["last_event"] == 1
    assert "You can’t post in this conversation" in bob.get("/direct/ana").text
    ana.post("/direct/bob/unblock", "/direct/bob")
    assert bob_socket.post("back", name)

    # Blocking works before the conversation exists.
    eve.post("/direct/bob/block", "/direct/bob")
    assert bob.connect().send("hello", bob.open_direct(eve))["error"]["code"] == "forbidden"
    assert ana.post("/direct/ana/block", "/direct/bob").status_code == 400
    assert ana.post("/direct/nobody/block", "/direct/bob").status_code == 404


def test_a_blocked_user_cannot_start_a_group_with_the_person_who_blocked_them(
    server: Server, people: tuple[Person, Person, Person]
) -> None:
    ana, bob, eve = people
    assert ana.post("/direct/bob/block", "/direct/bob").ok
    refusal = "This person does not accept direct messages from you."
    page = bob.post("/direct", "/direct", person=["ana", "eve"])
    assert (page.status_code, refusal in page.text) == (403, True)
    api = bob.api()
    group = {"kind": "direct", "people": ["ana", "eve"]}
    response = api.post("/conversations", json=group)
    problem = response.json()
    assert (response.status_code, problem["code"], problem["detail"]) == (403, "forbidden", refusal)
    assert server.rows("SELECT count(*) FROM conversations WHERE kind = 'direct'") == [(0,)]

    # Others can start the group, also the person who has blocked. In a group that exists, everybody can post.
    name = ana.open_direct(bob, eve)
    assert api.post("/conversations", json=group).json()["conversation"] == name
    assert bob.connect().post("in a group", name)
