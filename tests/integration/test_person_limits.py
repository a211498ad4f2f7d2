"""Limits of what one person, or one visitor's address, may do, and requests that are refused early."""

import pytest
import requests

from tests.harness.api import check_problem
from tests.harness.people import Person, room_path
from tests.harness.rows import add_people
from tests.harness.servers import NewServer, Server

DEEP = "[" * 5_000 + "]" * 5_000


@pytest.fixture(scope="module")
def server(new_shared_server: NewServer) -> Server:
    """A server with low limits. Each test has people of its own."""
    return new_shared_server(
        CHATAPP_NEW_CONVERSATIONS_PER_HOUR="4",
        CHATAPP_ROOM_INVITATIONS_PER_HOUR="3",
        CHATAPP_FORM_POSTS_PER_MINUTE="12",
        CHATAPP_EXPORTS_PER_MINUTE="2",
        CHATAPP_SEARCHES_PER_MINUTE="5",
        CHATAPP_REACTIONS_PER_MINUTE="4",
        CHATAPP_QUOTES_PER_MINUTE="4",
        CHATAPP_PUBLIC_PAGES_PER_MINUTE="3",
    ).start()


def check_refused(response: requests.Response, reason: str) -> None:
    assert (response.status_code, reason in response.text) == (429, True), response.text[:2000]
    assert "Traceback" not in response.text


def test_a_person_can_create_a_limited_number_of_conversations(server: Server) -> None:
    maker, other = add_people(server, "maker", "other")
    api = maker.api()
    maker.create_room()
    maker.open_direct(other)
    assert api.post("/sessions", json={}).status_code == 201
    maker.create_room()
    refused = maker.post("/rooms/new", "/rooms/new", name="One more", visibility="open")
    check_refused(refused, "too many conversations")
    assert 'value="One more"' in refused.text, "what was entered is shown again"
    check_refused(maker.post("/direct", "/direct", person="maker"), "too many conversations")
    problem = api.post("/sessions", json={})
    assert check_problem(problem) == (429, "rate_limited")
    assert 0 < problem.json()["retry_after"] <= 3_601
    # What exists already is opened as before, and others are not limited.
    assert maker.open_direct(other)
    assert other.create_room()


def test_a_person_can_add_a_limited_number_of_people_to_rooms(server: Server) -> None:
    host, *guests = add_people(server, "host", "guest1", "guest2", "guest3", "guest4")
    room = host.create_room()
    path = room_path(room)
    # What is refused does not count.
    for usernames in (["nobody"] * 4, ["guest1", "nobody"], ["host"], [" "]):
        assert host.post(f"{path}/members", f"{path}/settings", username=usernames).status_code in {400, 409}
    assert host.post("/rooms/new", "/rooms/new", name="x", visibility="open", username=["nobody"]).status_code == 400
    assert host.post("/rooms/new", "/rooms/new", name=" ", visibility="open", username=["guest1"]).status_code == 400
    for guest in guests[:3]:
        host.invite(room, guest)
    refused = host.post(f"{path}/members", f"{path}/settings", username="guest4")
    check_refused(refused, "too many people")
    check_refused(
        host.post("/rooms/new", "/rooms/new", name="x", visibility="open", username="guest4"), "too many people"
    )
    assert guests[3].get(path).status_code == 404


def test_a_person_can_react_a_limited_number_of_times(server: Server) -> None:
    fan, other = add_people(server, "fan", "other_fan")
    socket = fan.connect()
    seq = socket.post("Look")["seq"]
    reaction = {"conversation": "general", "seq": seq, "reaction": "👍"}
    for on in (True, False, True):
        assert socket.call("react", reaction | {"on": on})["ok"]
    path = f"/conversations/general/messages/{seq}/reactions/👍"
    api = fan.api()
    assert api.request("DELETE", path).ok
    assert check_problem(api.request("PUT", path)) == (429, "rate_limited")
    assert socket.call("react", reaction)["error"]["code"] == "rate_limited"
    assert other.connect().call("react", reaction)["ok"]


def test_a_person_can_save_a_limited_number_of_messages(server: Server) -> None:
    (saver,) = add_people(server, "saver")
    socket = saver.connect()
    message = {"conversation": "general", "seq": socket.post("Keep")["seq"]}
    for on in (True, False, True, False):
        assert socket.call("save_message", message | {"on": on})["ok"]
    error = socket.call("save_message", message)["error"]
    assert (error["code"], "saved too many messages" in error["message"]) == ("rate_limited", True)
    assert socket.call("react", message | {"reaction": "👍"})["ok"], "reactions are counted separately"


def test_pins_and_restored_messages_are_counted_separately(server: Server) -> None:
    writer, other = add_people(server, "writer", "other_writer")
    direct, socket = writer.open_direct(other), writer.connect()
    message = {"conversation": direct, "seq": socket.post("Keep", direct)["seq"]}
    for on in (True, False, True, False):
        assert socket.call("pin_message", message | {"on": on})["ok"]
    error = socket.call("pin_message", message)["error"]
    assert (error["code"], "pinned too many messages" in error["message"]) == ("rate_limited", True)
    for _ in range(4):
        assert socket.call("delete_message", message)["ok"]
        assert socket.call("undelete_message", message)["ok"]
    assert socket.call("delete_message", message)["ok"]
    error = socket.call("undelete_message", message)["error"]
    assert (error["code"], "restored too many messages" in error["message"]) == ("rate_limited", True)
    assert socket.call("react", message | {"seq": socket.post("Look", direct)["seq"], "reaction": "👍"})["ok"]


def test_requests_for_quotes_are_limited(server: Server) -> None:
    (reader,) = add_people(server, "quoting_reader")
    paths = ["/quotes?message=general/1", "/conversations/general/quotes?seq=1"]
    statuses = [reader.get(path).status_code for path in [*paths, *paths, *paths]]
    assert statuses == [200] * 4 + [429] * 2


def test_a_person_can_submit_a_limited_number_of_forms(server: Server) -> None:
    (clicker,) = add_people(server, "clicker")
    statuses = [clicker.post("/settings/name", "/settings", name="Clicker").status_code for _ in range(14)]
    assert statuses == [200] * 12 + [429] * 2
    assert clicker.get("/settings").ok
    visitor = Person(server, "visitor")
    token_page = visitor.get("/sign-in")
    assert token_page.ok
    statuses = [requests.post(f"{server.url}/sign-in").status_code for _ in range(14)]
    assert statuses[-1] == 429


def test_exports_and_searches_are_limited(server: Server) -> None:
    (reader,) = add_people(server, "reader")
    api = reader.api()
    session = api.post("/sessions", json={}).json()["conversation"]
    statuses = [reader.get(f"/conversations/{session}/export.json").status_code for _ in range(3)]
    assert statuses == [200, 200, 429]
    for path in ("/direct?q=a", "/sessions?q=a", "/conversations/general/people?prefix=a"):
        assert reader.get(path).ok
    assert api.get("/sessions?q=a").ok
    assert reader.get("/direct?q=b").ok
    assert reader.get("/direct?q=c").status_code == 429
    assert check_problem(api.get("/sessions?q=a")) == (429, "rate_limited")
    assert reader.get("/direct").ok
    assert api.get("/sessions").ok


def test_searches_of_messages_and_their_numbers_are_limited(server: Server) -> None:
    (reader,) = add_people(server, "searcher")
    for path in ("/search?q=word", "/search/count?q=word"):
        statuses = [reader.get(path).status_code for _ in range(8)]
        assert statuses == [200] * 5 + [429] * 3, path


def test_public_pages_are_limited_by_address_also_for_wrong_links(server: Server) -> None:
    statuses = [requests.get(f"{server.url}/shared/{number}").status_code for number in range(4)]
    assert statuses == [404] * 3 + [429]


def test_unknown_webhooks_are_refused_without_a_write_and_limited_by_address(server: Server) -> None:
    (manager,) = add_people(server, "manager")
    path = f"{room_path(manager.create_room())}/webhooks"
    page = manager.post(f"{path}/incoming", path, bot_name="Builder").text
    url = page.partition('id="webhook-url"')[2] or page
    hook = server.url + "/hooks/" + url.partition("/hooks/")[2].partition('"')[0]
    assert requests.post(hook, json={"text": "hello"}).status_code == 201
    statuses = [requests.post(f"{server.url}/hooks/{number}", json={"text": "x"}).status_code for number in range(32)]
    assert statuses == [404] * 30 + [429] * 2
    assert check_problem(requests.post(f"{server.url}/hooks/wrong", data="x")) == (429, "rate_limited")
    # Wrong guesses from the same address do not affect a webhook that exists.
    assert requests.post(hook, json={"text": "hello again"}).status_code == 201


def test_deeply_nested_json_is_refused_as_malformed_everywhere(server: Server) -> None:
    (sender,) = add_people(server, "sender")
    path = f"{room_path(sender.create_room())}/webhooks"
    page = sender.post(f"{path}/incoming", path, bot_name="Builder").text
    hook = server.url + "/hooks/" + page.partition("/hooks/")[2].partition('"')[0]
    api = sender.api()
    json = {"Content-Type": "application/json"}
    for body in (
        DEEP,
        f'{{"text": {DEEP}}}',
        '{"text":' + "[" * 40 + "]" * 40 + "}",
        '{"a":' * 5_000 + "1" + "}" * 5_000,
    ):
        assert check_problem(requests.post(hook, data=body, headers=json)) == (400, "invalid"), body[:20]
        response = api.post("/conversations/general/messages", data=body.replace("text", "content"), headers=json)
        assert check_problem(response) == (400, "invalid"), body[:20]
        assert sender.http.post(f"{server.url}/settings/name", data=body, headers=json).status_code == 400
    assert "Traceback" not in server.log()
