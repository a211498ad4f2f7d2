"""What each person sets for each conversation: the same on pages, over the API and on all of their devices."""

import requests
from selectolax.lexbor import LexborHTMLParser, LexborNode

from tests.harness.api import check_problem
from tests.harness.people import NewPerson, Person, room_path
from tests.harness.servers import Server

DEFAULTS = {"is_muted": False, "is_favorite": False}


def entry(person: Person, conversation: str) -> LexborNode:
    """Return the link to a conversation in the sidebar."""
    found = LexborHTMLParser(person.get("/sidebar").text).css_first(f"[data-entry={conversation}]")
    assert found is not None
    return found


def set_by_api(person: Person, conversation: str, **changes: object) -> requests.Response:
    return person.api().request("PATCH", f"/conversations/{conversation}/preferences", json=changes)


def favorites(person: Person) -> list[str | None]:
    entries = LexborHTMLParser(person.get("/sidebar").text).css("[data-favorites] [data-entry]")
    return [each.attributes["data-entry"] for each in entries]


def test_a_form_and_the_api_set_the_same_for_one_person(any_server: Server, new_person: NewPerson) -> None:
    ana, bob = new_person(any_server, "ana"), new_person(any_server, "bob")
    room, direct = ana.create_room("Design"), ana.open_direct(bob)
    ana.invite(room, bob)
    api = ana.api()

    def preferences(name: str) -> dict[str, object]:
        return dict(api.get(f"/conversations/{name}/preferences").json())

    for name, level in (("general", "mentions"), (room, "mentions"), (direct, "all"), ("assistant_2", "mentions")):
        assert preferences(name) == {"conversation": name, "notification_level": level, **DEFAULTS}

    device = ana.connect()
    saved = ana.post(f"/conversations/{room}/preferences", room_path(room), notification_level="nothing")
    assert saved.url.endswith(room_path(room))
    device.wait_for("sidebar_changed")
    assert entry(ana, room).attributes["data-notify"] == "nothing"
    pressed = LexborHTMLParser(ana.get(room_path(room)).text).css("[aria-pressed=true]")
    assert [button.attributes["value"] for button in pressed] == ["nothing"]
    changed = set_by_api(ana, room, is_muted=True)
    assert changed.json() == preferences(room)
    assert changed.json() == {"conversation": room, "notification_level": "nothing", "is_muted": True} | {
        "is_favorite": False
    }
    assert entry(bob, room).attributes["data-notify"] == "mentions", "others do not see it"

    for name in (room, "assistant_2", direct):
        ana.post(f"/conversations/{name}/preferences", room_path(room), favorite="yes")
    assert favorites(ana) == [direct, room, "assistant_2"], "by title"
    ana.post(f"/conversations/{direct}/preferences", room_path(room), favorite="no")
    assert favorites(ana) == [room, "assistant_2"]
    assert favorites(bob) == []


def test_a_muted_conversation_shows_mentions_only(server: Server, ana: Person, bob: Person) -> None:
    room = ana.create_room("Design")
    ana.invite(room, bob)
    set_by_api(bob, room, is_muted=True)
    socket = ana.connect()

    def badge() -> tuple[str | None, bool, bool]:
        shown = entry(bob, room).css_first("[data-badge]")
        assert shown is not None
        is_unread = "is-unread" in (entry(bob, room).attributes["class"] or "")
        return shown.text(deep=False).strip(), "hidden" in shown.attributes, is_unread

    socket.post("hello", room)
    assert badge() == ("0", True, False)
    socket.post("hello, @bob", room)
    assert badge() == ("1", False, False)
    set_by_api(bob, room, is_muted=False)
    assert badge() == ("2", False, True)


def test_only_readers_set_something_and_only_what_there_is(server: Server, ana: Person, bob: Person) -> None:
    private, public = ana.create_room("Private"), ana.create_room("Open", visibility="open")
    for name, outcome in ((private, (404, "not_found")), (public, (403, "forbidden"))):
        assert check_problem(bob.api().get(f"/conversations/{name}/preferences")) == outcome
        assert check_problem(set_by_api(bob, name, is_muted=True)) == outcome
    refused = set_by_api(bob, "general", notification_level="some")
    assert check_problem(refused) == (400, "invalid")
    form = bob.post("/conversations/general/preferences", "/", notification_level="some")
    assert (form.status_code, "“all”, “mentions” or “nothing”" in form.text) == (400, True)
    assert server.rows("SELECT * FROM conversation_preferences") == []


def test_they_are_deleted_with_the_conversation(server: Server, ana: Person) -> None:
    session = ana.post("/sessions", assistant="helper").url.rpartition("/")[2]
    for name in ("general", f"assistant_{session}"):
        set_by_api(ana, name, is_favorite=True)
    assert server.rows("SELECT conversation_id FROM conversation_preferences ORDER BY 1") == [(1,), (int(session),)]
    ana.post(f"/sessions/{session}/delete", f"/sessions/{session}")
    assert server.rows("SELECT conversation_id FROM conversation_preferences") == [(1,)]
