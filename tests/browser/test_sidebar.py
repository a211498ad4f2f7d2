"""The list of conversations beside every page."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.harness.pages import PHONE, NewPage, wait_until_connected
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


def test_favorites_come_first_and_muted_conversations_point_out_mentions_only_on_each_device(
    ana: Person, bob: Person, new_page: NewPage
) -> None:
    design, lunch = bob.create_room("Design"), bob.create_room("Lunch")
    for room in (design, lunch):
        bob.invite(room, ana)
    page = wait_until_connected(new_page(ana, room_path(lunch)))
    phone = wait_until_connected(new_page(ana, room_path(lunch), **PHONE))
    badge = entry(page, lunch).locator("[data-badge]")

    def choose(shown: Page, name: str) -> None:
        shown.get_by_role("button", name="More", exact=True).click()
        shown.get_by_role("button", name=name, exact=True).click()
        expect(shown.locator("#conversation-menu")).to_be_hidden()

    choose(phone, "Add to favorites")
    favorites = page.locator("[data-favorites]")
    expect(favorites.locator("[data-entry]")).to_have_attribute("data-entry", lunch)
    choose(phone, "All messages")
    expect(entry(page, lunch)).to_have_attribute("data-notify", "all")
    choose(page, "Mute")
    expect(phone.locator(f"[data-entry={lunch}].is-muted")).to_be_attached()
    for shown in (page, phone):
        shown.get_by_role("button", name="More", exact=True).click()
        expect(shown.get_by_role("button", name="Unmute")).to_be_visible()
        expect(shown.get_by_role("button", name="All messages")).to_have_attribute("aria-pressed", "true")
    phone.keyboard.press("Escape")
    page.keyboard.press("Escape")

    entry(page, "general").click()
    phone.goto(ana.server.url + "/rooms")
    socket = bob.connect()
    socket.post("hello", lunch)
    socket.post("and here", design)
    expect(page).to_have_title("• General · chatapp")
    expect(badge).to_be_hidden()
    expect(entry(page, lunch)).not_to_have_class(re.compile("is-unread"))
    page.keyboard.press("Control+k")
    options = page.get_by_role("option")
    expect(options.nth(0)).to_have_text(re.compile("Lunch"))
    page.keyboard.press("Escape")
    page.keyboard.press("Alt+Shift+ArrowUp")
    expect(page).to_have_title("Design · chatapp")
    socket.post("hello, @ana", lunch)
    expect(badge).to_have_text(re.compile("^1"))
    expect(page).to_have_title("Design · chatapp")
    expect(phone.locator("[data-menu-badge]")).to_be_hidden()
    page.get_by_role("button", name="Favorites").click()
    expect(badge).to_be_visible()
    page.reload()
    expect(badge).to_have_text(re.compile("^1"))
    expect(page).to_have_title("Design · chatapp")
    # The server renders the section as collapsed.
    assert '<button data-section="favorites" aria-expanded="false"' in page.request.get(page.url).text()
    page.get_by_role("button", name="Favorites").click()
    assert 'aria-expanded="false"' not in page.request.get(page.url).text().partition("<main")[0]
