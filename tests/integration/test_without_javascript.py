"""Pages, links and forms alone: reading and posting work without JavaScript."""

from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
import requests
from sqlalchemy import select
from sqlalchemy.orm import Session

from chatapp.models import Message
from tests.harness.html import attribute, find_csrf_token, rendered_messages, text
from tests.harness.people import Person, room_path
from tests.harness.rows import fill_general
from tests.harness.servers import Server


@pytest.fixture
def room(ana: Person, bob: Person) -> str:
    room = ana.create_room("Lunch")
    ana.invite(room, bob)
    return room


def post_by_form(person: Person, path: str, content: str, form_id: str = "") -> requests.Response:
    """Fill in the composer of a page and submit it, as a browser does."""
    page = person.get(path).text
    own_id = attribute(page, "input[name=form_id]", "value")
    form = {"csrf_token": find_csrf_token(page), "form_id": form_id or own_id, "content": content}
    return person.http.post(person.server.url + attribute(page, "form.composer[method=post]", "action"), data=form)


def textarea(page: str) -> str:
    """Return the content of the composer."""
    return text(page, "textarea")


def test_the_form_posts_and_redirects_to_the_message(ana: Person, bob: Person, room: str) -> None:
    listening = bob.connect()
    listening.join(room)
    for path, name in (("/", "general"), (room_path(room), room)):
        response = post_by_form(ana, path, "Good morning")
        assert [step.status_code for step in response.history] == [303]
        assert response.url == f"{ana.server.url}{path}#message-1"
        assert rendered_messages(response.text) == [(1, "Good morning")]
        assert 'id="message-1"' in response.text
        assert textarea(response.text) == ""
        assert rendered_messages(bob.get(path).text) == [(1, "Good morning")], name
    # Sockets receive it too.
    listening.wait_for_contents("Good morning", conversation=room)


def test_a_form_that_is_submitted_twice_posts_once(ana: Person, bob: Person) -> None:
    form_id = "0e8a4ff2-3c1b-4a57-9d0e-5f2c8f0a1b2c"
    for _ in range(2):
        assert rendered_messages(post_by_form(ana, "/", "once", form_id).text) == [(1, "once")]
    # After a message the page has a new form_id. The same form_id of another user is a different one.
    post_by_form(bob, "/", "once", form_id)
    assert rendered_messages(post_by_form(ana, "/", "once").text) == [(1, "once"), (2, "once"), (3, "once")]


def test_a_form_that_the_browser_shows_again_posts_another_text_as_another_message(ana: Person) -> None:
    form_id = "0e8a4ff2-3c1b-4a57-9d0e-5f2c8f0a1b2d"
    for content in ("before going back", "after going back"):
        response = post_by_form(ana, "/", content, form_id)
    assert [content for _, content in rendered_messages(response.text)][-2:] == [
        "before going back",
        "after going back",
    ]


def test_a_refused_message_stays_in_the_form_with_the_reason(ana: Person, room: str) -> None:
    long_text = "<textarea> & “quotes”\n" * 500
    for content, form_id, reason in (
        (long_text, "", "at most 10,000 characters"),
        ("kept", "no uuid", "client_id must be a UUID"),
        ("   ", "", "A message needs some text"),
    ):
        response = post_by_form(ana, room_path(room), content, form_id)
        assert response.status_code == 400
        assert reason in unescape(response.text)
        assert textarea(response.text).replace("\r\n", "\n") == content
        # It can be corrected and submitted again.
        form = {"csrf_token": find_csrf_token(response.text), "content": "corrected"}
        fresh = attribute(response.text, "input[name=form_id]", "value")
        action = f"{ana.server.url}/conversations/{room}/messages"
        assert ana.http.post(action, data=form | {"form_id": fresh}).ok
    assert ana.server.rows("SELECT DISTINCT content FROM messages") == [("corrected",)]


def test_links_lead_through_the_whole_history_and_back_to_the_latest(ana: Person, room: str) -> None:
    socket = ana.connect()
    for number in range(1, 26):
        socket.post(f"message {number}", room)
    path = room_path(room)
    page, read = ana.get(path).text, list[int]()
    assert "Jump to latest" not in page
    while True:
        shown = [seq for seq, _ in rendered_messages(page)]
        read = shown + read
        link = attribute(page, "a:lexbor-contains('Older messages')", "href")
        if 'data-older="true"' not in page:
            break
        page = ana.get(link).text
        assert f'href="{path}">Jump to latest' in page
    assert read == list(range(1, 26))
    read = [seq for seq, _ in rendered_messages(page)]
    while 'data-newer="true"' in page:
        page = ana.get(attribute(page, "a:lexbor-contains('Newer messages')", "href")).text
        read += [seq for seq, _ in rendered_messages(page)]
    assert read == list(range(1, 26))
    assert "Jump to latest" not in page


def test_the_first_unread_message_a_date_and_a_permanent_link_open_between_their_neighbours(
    server: Server, ana: Person, bob: Person
) -> None:
    fill_general(server, 300)
    server.execute("UPDATE memberships SET last_read_seq = 100")
    day = datetime(2026, 3, 1, tzinfo=UTC)
    with Session(server.engine()) as session, session.begin():
        for message in session.scalars(select(Message)):
            message.created_at = day + timedelta(hours=message.seq)

    def shown(page: str) -> list[int]:
        return [seq for seq, _ in rendered_messages(page)]

    page = bob.get("/").text
    assert "200 unread" in page
    link = attribute(page, "[data-unread-banner]:not([hidden]) a", "href")
    assert link == "/?around=101#unread"
    page = bob.get(link).text
    assert shown(page) == list(range(81, 131))
    assert page.index('id="message-100"') < page.index('id="unread"') < page.index('id="message-101"')

    def jump(date: str) -> str:
        return bob.get(f"/conversations/general/date?date={date}", allow_redirects=False).headers["Location"]

    assert jump("2026-03-03") == "/?around=48#message-48"
    bob.http.cookies.set("chatapp_clock", "Europe/Berlin:h23", domain="127.0.0.1", path="/")
    assert jump("2026-03-03") == "/?around=47#message-47"
    assert jump("2020-01-01") == "/?around=1#message-1"
    assert jump("2030-01-01") == "/"
    assert bob.get("/conversations/general/date?date=soon").status_code == 400
    assert bob.get("/conversations/general/date?date=0001-01-01").status_code == 400
    # Each has the form, and marks as read without a script.
    assert bob.get("/conversations/general/messages/300").url.endswith("/?around=300#message-300")
    assert "200 unread" in bob.get("/").text
    seq = attribute(page, "#conversation-menu [name=seq]", "value")
    page = bob.post("/conversations/general/read", "/", seq=seq).text
    assert 'data-unread="0"' in page
    assert attribute(page, "[data-unread-banner][hidden] a", "href") == "/?around=301#unread"


def test_rooms_are_created_joined_and_left_by_forms(ana: Person, bob: Person) -> None:
    path = room_path(ana.create_room("Tea", "open"))
    assert "<textarea" not in bob.get(path).text
    joined = bob.post(f"{path}/membership", "/rooms")
    assert joined.url == bob.server.url + path
    assert rendered_messages(post_by_form(bob, path, "Hello").text) == [(1, "Hello")]
    assert bob.post(f"{path}/membership/end", path).url == bob.server.url + "/rooms"
    assert "Hello" not in bob.get(path).text
