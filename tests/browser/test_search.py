"""Searching messages: as one types, by keyboard, on a phone and without JavaScript."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.harness.pages import PHONE, NewPage, wait_until_connected
from tests.harness.people import Person, room_path

pytestmark = pytest.mark.browser


def post(person: Person, text: str, conversation: str = "general") -> None:
    socket = person.connect()
    socket.post(text, conversation)
    socket.close()


def hits(page: Page) -> list[str]:
    return [text.strip() for text in page.locator(".search-hit").all_inner_texts()]


def test_results_follow_what_is_typed_and_open_where_they_are(ana: Person, bob: Person, new_page: NewPage) -> None:
    room = ana.create_room("Design")
    for text in ("The blue sketch", "The red sketch", "Nothing else", "会議は東京で"):
        post(ana, text, room)
    post(bob, "A sketch of mine")
    page = wait_until_connected(new_page(ana))
    page.evaluate("window.isMarked = true")
    page.keyboard.press("Control+Shift+f")
    field = page.get_by_role("searchbox")
    expect(field).to_be_focused()

    page.keyboard.type("sket")
    expect(page.locator(".search-hit mark")).to_have_text(["sket", "sket", "sket"])
    expect(page.locator("[data-search-count]")).to_have_text("3 messages")
    assert hits(page) == ["A sketch of mine", "The red sketch", "The blue sketch"]
    page.keyboard.type("ch -red in:design")
    expect(page.locator(".search-hit")).to_have_text(["The blue sketch"])
    expect(page).to_have_url(re.compile("q=sketch"))
    field.fill("東京")
    expect(page.locator(".search-hit mark")).to_have_text(["東京"])
    field.fill('"[(from: <b>')
    expect(page.locator("[data-search-count]")).to_have_text("No messages found.")

    field.fill("red")
    expect(page.locator(".search-hit")).to_have_text(["The red sketch"])
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_have_attribute("data-conversation", room)
    expect(page.locator("#message-2")).to_be_in_viewport()
    assert page.evaluate("window.isMarked") is True
    page.go_back()
    expect(page.get_by_role("searchbox")).to_have_value("red")
    expect(page.locator(".search-hit")).to_have_text(["The red sketch"])


def test_what_is_edited_or_deleted_is_found_no_longer(ana: Person, new_page: NewPage) -> None:
    socket = ana.connect()
    socket.join()
    first, second = socket.send("first apple"), socket.send("second apple")
    page = wait_until_connected(new_page(ana, path="/search?q=apple"))
    expect(page.locator(".search-hit")).to_have_text(["second apple", "first apple"])
    socket.call("edit_message", {"conversation": "general", "seq": first["message"]["seq"], "content": "first pear"})
    socket.call("delete_message", {"conversation": "general", "seq": second["message"]["seq"]})
    page.get_by_role("searchbox").press("Enter")
    expect(page.locator("[data-search-count]")).to_have_text("No messages found.")


def test_filters_are_added_with_a_click_and_ctrl_k_offers_the_search(ana: Person, new_page: NewPage) -> None:
    post(ana, "plain words")
    post(ana, "words with https://example.com")
    page = wait_until_connected(new_page(ana))
    page.keyboard.press("Control+k")
    page.keyboard.type("words")
    page.get_by_role("option", name="Search messages for “words”").click()
    expect(page.locator(".search-hit")).to_have_count(2)
    page.get_by_role("link", name="has:link").click()
    expect(page.locator(".search-hit")).to_have_text(["words with https://example.com"])
    expect(page.get_by_role("searchbox")).to_have_value("words has:link ")


def test_the_menu_of_a_conversation_leads_to_the_search_in_it(ana: Person, new_page: NewPage) -> None:
    room = ana.create_room("Design Team")
    post(ana, "an apple", room)
    post(ana, "another apple")
    page = wait_until_connected(new_page(ana, path=room_path(room)))
    page.get_by_role("button", name="More", exact=True).click()
    page.get_by_role("link", name="Search in this conversation").click()
    expect(page.get_by_role("searchbox")).to_have_value("in:design-team ")
    page.keyboard.type("apple")
    expect(page.locator(".search-hit mark")).to_have_text(["apple"])
    expect(page.locator(".search-hit")).to_have_text(["an apple"])


def test_search_works_on_a_phone_and_from_right_to_left(ana: Person, new_page: NewPage) -> None:
    post(ana, "שלום עולם")
    phone = wait_until_connected(new_page(ana, path="/search", **PHONE))
    phone.get_by_role("searchbox").fill("שלום")
    expect(phone.locator(".search-hit mark")).to_have_text(["שלום"])
    assert phone.locator(".listed-text").first.evaluate("element => getComputedStyle(element).direction") == "rtl"
    assert phone.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_search_works_without_javascript(ana: Person, new_page: NewPage) -> None:
    for number in range(25):
        post(ana, f"apple {number}")
    page = new_page(ana, path="/search", java_script_enabled=False)
    page.get_by_role("searchbox").fill("apple")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.locator(".search-hit")).to_have_count(20)
    page.get_by_role("link", name="More results").click()
    expect(page.locator(".search-hit")).to_have_text([f"apple {number}" for number in (4, 3, 2, 1, 0)])
    page.get_by_role("link", name="Best first").click()
    expect(page.locator(".search-hit")).to_have_count(20)


def test_a_removed_member_finds_nothing_from_that_moment(ana: Person, bob: Person, new_page: NewPage) -> None:
    room = ana.create_room("Secret")
    ana.invite(room, bob)
    post(ana, "a hidden apple", room)
    page = wait_until_connected(new_page(bob, path="/search?q=apple"))
    expect(page.locator(".search-hit")).to_have_count(1)
    ana.remove(room, bob)
    page.get_by_role("searchbox").press("Enter")
    expect(page.locator("[data-search-count]")).to_have_text("No messages found.")
    assert bob.get("/search/count?q=apple").json() == {"count": 0, "has_more": False}
    assert room_path(room) not in page.content()
