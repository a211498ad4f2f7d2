"""The list of conversations beside every page."""

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.harness.pages import NewPage, wait_until_connected
from tests.harness.people import Person, room_path

pytestmark = pytest.mark.browser


def entry(page: Page, conversation: str) -> Locator:
    return page.locator(f"[data-entry='{conversation}']")


def test_the_sidebar_leads_to_what_is_unread_and_marks_drafts(ana: Person, bob: Person, new_page: NewPage) -> None:
    rooms = first, *others, last = [ana.create_room(f"Room {number}") for number in range(8)]
    for room in (first, last):
        ana.invite(room, bob)
    page = wait_until_connected(new_page(ana, viewport={"width": 1280, "height": 380}))
    above, below = (page.get_by_role("button", name=f"Unread {direction}") for direction in ("above", "below"))
    expect(above).to_be_hidden()
    expect(below).to_be_hidden()
    socket = bob.connect()
    socket.post("below", last)
    below.click()
    expect(entry(page, last)).to_be_in_viewport()
    expect(below).to_be_hidden()
    socket.post("above", first)
    above.click()
    expect(entry(page, first)).to_be_in_viewport()
    expect(above).to_be_hidden()

    page.fill("#content", "a draft")
    entry(page, first).click()
    expect(entry(page, first)).to_have_attribute("aria-current", "page")
    expect(entry(page, "general")).to_contain_text("(draft)")
    page.get_by_role("button", name="Rooms", exact=True).click()
    expect(entry(page, others[0])).to_be_hidden()
    page.reload()
    expect(entry(page, "general")).to_contain_text("(draft)")
    expect(entry(page, first)).to_be_visible()
    expect(entry(page, others[0])).to_be_hidden()
    expect(entry(page, last)).to_contain_text("1")
    page.get_by_role("button", name="Rooms", exact=True).click()
    page.goto(ana.server.url + room_path(rooms[6]))
    expect(entry(page, rooms[6])).to_be_in_viewport()

    page.set_viewport_size({"width": 360, "height": 740})
    expect(page.get_by_role("button", name="Open menu (some unread)")).to_be_visible()
    direct = bob.open_direct(ana)
    socket.post("hello", direct)
    page.get_by_role("button", name="Open menu (1 unread)").click()
    expect(entry(page, direct).locator(".avatar")).to_have_text("B")
    page.get_by_role("link", name="Direct messages", exact=True).click()
    expect(page.get_by_role("heading", name="Your conversations")).to_be_visible()
