"""The first frame of a conversation is final: the script that starts on the page moves nothing."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.harness.html import attribute
from tests.harness.pages import PHONE, NewPage, wait_for_message, wait_until_connected
from tests.harness.people import Person, room_path
from tests.harness.servers import Server

pytestmark = pytest.mark.browser

OBSERVE_SHIFTS = """
window.shifts = [];
new PerformanceObserver((list) => {
  for (const { value, sources } of list.getEntries()) {
    window.shifts.push([value, sources.map(({ node }) => node?.outerHTML?.slice(0, 120) ?? node?.textContent)]);
  }
}).observe({ type: "layout-shift", buffered: true });
"""

LIST_ITEMS = """(root) => [...root.querySelectorAll("[data-messages] > li")].map((item) => [
  item.className, item.dataset.seq ?? item.textContent.trim(), item.querySelector(".message-time")?.textContent,
  [...item.querySelectorAll("[aria-pressed=true]")].map((reaction) => reaction.dataset.reaction),
])"""

NEW_YORK = {"timezone_id": "America/New_York", "locale": "en-US"}

DESKTOP = {"viewport": {"width": 1280, "height": 800}}


def prepare_conversation(server: Server, ana: Person, bob: Person, eve: Person) -> str:
    """Make a room with messages of three days, some of them unread by Bob, and return its name."""
    room = ana.create_room("Design", topic="What it should look like")
    for person in (bob, eve):
        ana.invite(room, person)
    socket, bob_socket = ana.connect(), bob.connect()
    for number in range(16):
        socket.post(f"message {number}\n" * (1 + number % 3), room)
    for number in range(3):
        bob_socket.post(f"answer {number}", room)
    seq = bob_socket.post("the last that Bob has read", room)["seq"]
    bob_socket.call("mark_as_read", {"conversation": room, "seq": seq})
    unread = [socket.post(text, room)["seq"] for text in ("@bob, look", "at this", "https://example.com", "🎉🎉")]
    bob_socket.call("react", {"conversation": room, "seq": unread[1], "reaction": "👍", "on": True})
    server.kill()
    server.execute(
        "UPDATE messages SET created_at = datetime(created_at, (seq / 5 - 4) || ' hours', '-0.5 days') WHERE seq < 19"
    )
    server.start()
    eve.connect().call("mark_as_read", {"conversation": room, "seq": seq})
    return room


def wait_until_settled(page: Page) -> None:
    """Wait until the page has shown who has read the messages."""
    wait_until_connected(page)
    expect(page.locator(".read-receipts").first).to_be_attached()
    wait_until_painted(page)


def wait_until_painted(page: Page) -> None:
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def list_shifts(page: Page) -> list[Any]:
    shifts: list[Any] = page.evaluate("window.shifts")
    return shifts


def test_the_link_that_blocks_rendering_names_the_element_after_the_content(ana: Person) -> None:
    page = ana.get("/").text
    # Chromium waits for the start tag.
    _, _, awaited = attribute(page, "head > link[rel=expect][blocking=render]", "href").partition("#")
    assert attribute(page, ".screen:has(> main) + *", "id") == awaited


def test_the_first_frame_is_final(server: Server, ana: Person, bob: Person, eve: Person, new_page: NewPage) -> None:
    room = prepare_conversation(server, ana, bob, eve)
    for options in (DESKTOP | NEW_YORK, PHONE):
        # The first visit of a browser sets the cookie.
        page = wait_until_connected(new_page(bob, "/people", **options))
        page.add_init_script(OBSERVE_SHIFTS)
        response = page.goto(server.url + room_path(room))
        assert response
        rendered = page.evaluate(
            f"(html) => ({LIST_ITEMS})(new DOMParser().parseFromString(html, 'text/html'))", response.text()
        )
        wait_until_settled(page)
        expect(page.locator(".message").last).to_be_in_viewport()
        assert list_shifts(page) == []
        # Above, older messages have been added.
        assert page.evaluate(f"({LIST_ITEMS})(document)")[-len(rendered) + 1 :] == rendered[1:]

    page.set_viewport_size({"width": 1280, "height": 800})
    wait_until_painted(page)
    page.evaluate("window.shifts = []")
    for conversation in ("general", room):
        page.click(f"[data-entry='{conversation}']")
        expect(page.locator(f"main[data-conversation='{conversation}'] [data-composer]")).to_be_visible()
        wait_until_painted(page)
    assert list_shifts(page) == []

    ana.connect().post("news", room)
    wait_for_message(page, "news")
    assert sum(value for value, _ in list_shifts(page)) <= 0.01


def test_without_javascript_the_end_of_the_list_is_in_view(ana: Person, new_page: NewPage) -> None:
    room = ana.create_room()
    socket = ana.connect()
    for number in range(20):
        socket.post(f"message {number}\n" * 5, room)
    page = new_page(ana, room_path(room), java_script_enabled=False)
    expect(page.locator(".message").last).to_be_in_viewport(ratio=1)
    expect(page.locator("time").last).to_have_attribute("datetime", ana_time(ana, room))


def ana_time(ana: Person, room: str) -> str:
    (newest,) = ana.server.rows("SELECT max(created_at) FROM messages")
    return str(newest[0]).replace(" ", "T") + "+00:00"


def test_older_messages_that_are_loaded_at_once_move_nothing(ana: Person, new_page: NewPage) -> None:
    socket = ana.connect()
    for number in range(30):
        socket.post(f"message {number}")
    page = new_page(ana, "/settings")
    page.add_init_script(OBSERVE_SHIFTS)
    page.goto(ana.server.url)
    wait_for_message(page, "message 5")
    wait_until_painted(page)
    assert list_shifts(page) == []
