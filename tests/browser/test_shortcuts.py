"""Keyboard shortcuts: what they do, and where they leave the keys to the browser."""

import re
from collections.abc import Sequence

import pytest
from playwright.sync_api import Page, expect

from tests.harness.pages import NewPage, message_texts, send_message, wait_until_connected, wait_until_stored
from tests.harness.people import Person

pytestmark = pytest.mark.browser


def test_people_move_read_and_edit_without_a_mouse(ana: Person, bob: Person, new_page: NewPage) -> None:
    rooms = [ana.create_room(name) for name in ("Alpha", "Beta", "Gamma")]
    socket = bob.connect()
    for room in rooms:
        ana.invite(room, bob)
    for number in range(80):
        socket.post(f"message {number}", rooms[1])
    socket.post("hello", rooms[2])
    page = wait_until_connected(new_page(ana))
    main, text = page.locator("main"), page.locator("#content")
    page.evaluate("window.isMarked = true")

    for keys, conversation in (
        ("Alt+ArrowDown", rooms[0]),
        ("Alt+ArrowUp", "general"),
        ("Alt+Shift+ArrowDown", rooms[1]),
    ):
        page.keyboard.press(keys)
        expect(main).to_have_attribute("data-conversation", conversation)
        expect(text).to_be_focused()
    read_all(page, rooms)
    assert ana.sidebar_counts(rooms[2]) == (0, 0)
    write_and_edit(page)
    list_shortcuts(page)
    page.keyboard.press("Control+K")
    page.keyboard.type("people")
    page.keyboard.press("Enter")
    expect(page).to_have_title("People · chatapp")
    page.keyboard.press("Alt+ArrowUp")
    expect(page).to_have_url(re.compile("/assistants/"))
    assert page.evaluate("window.isMarked") is True
    page.goto(ana.server.url + "/people")
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    switch_characters_off(page)


def read_all(page: Page, rooms: Sequence[str]) -> None:
    # Escape reads the conversation, although its first unread message was not shown.
    expect(page.locator("[data-unread-banner]")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("[data-unread-banner]")).to_be_hidden()
    expect(page.locator(f"[data-entry='{rooms[1]}'] [data-badge]")).to_be_hidden()
    expect(page.locator(".unread-divider")).to_have_count(0)
    page.go_back()
    page.keyboard.press("Shift+Escape")
    expect(page.get_by_role("dialog")).to_contain_text("1 conversation has unread messages.")
    page.keyboard.press("Enter")
    expect(page.locator(".sidebar .is-unread")).to_have_count(0)


def write_and_edit(page: Page) -> None:
    text = page.locator("#content")
    # In a field, keys write characters; elsewhere characters go to the message field.
    send_message(page, "a?/b")
    wait_until_stored(page)
    page.locator(".message").last.click()
    page.keyboard.type("any/where")
    expect(text).to_have_value("any/where")
    page.keyboard.press("ArrowUp")
    expect(page.locator(".message-edit")).to_have_count(0)
    text.fill("")
    page.keyboard.press("ArrowUp")
    expect(page.locator(".message-edit textarea")).to_be_focused()
    page.keyboard.press("Escape")
    expect(text).to_be_focused()
    assert message_texts(page) == ["a?/b"]


def switch_characters_off(page: Page) -> None:
    page.click(".sidebar [href='/settings']")
    page.get_by_label("Shortcuts of one character").uncheck()
    page.locator("h1").click()
    page.keyboard.press("?")
    page.get_by_role("link", name="General").click()
    expect(page.locator("#content")).to_be_focused()
    page.locator("h1").click()
    page.keyboard.type("?/a")
    expect(page.locator("#content")).to_have_value("")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("Control+/")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()


def list_shortcuts(page: Page) -> None:
    page.locator("h1").click()
    page.keyboard.press("?")
    page.keyboard.press("Alt+ArrowDown")
    dialog = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(dialog).to_contain_text("Next unread conversationAltShift↓")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page.locator("main")).to_have_attribute("data-conversation", "general")
