"""Jumping to a page with the keyboard, and on a phone."""

import re

import pytest
from playwright.sync_api import expect

from tests.harness.pages import PHONE, NewPage, wait_until_connected
from tests.harness.people import Person, room_path
from tests.harness.rows import add_people

pytestmark = pytest.mark.browser


def test_people_jump_to_rooms_people_and_pages_without_a_mouse(ana: Person, bob: Person, new_page: NewPage) -> None:
    design, lunch = ana.create_room("Design"), ana.create_room("Lunch", visibility="open")
    bob.create_room("Plans")
    page = wait_until_connected(new_page(ana))
    page.evaluate("window.isMarked = true")
    page.fill("#content", "a draft")
    selected = page.locator("[role=option][aria-selected=true]")
    text = page.get_by_role("combobox", name="Room, person, assistant or page")

    page.keyboard.press("Control+k")
    expect(text).to_be_focused()
    expect(page.get_by_role("option").first).to_have_text(re.compile("Design"))
    page.keyboard.press("ArrowDown")
    expect(selected).to_have_text(re.compile("Lunch"))
    expect(text).to_have_attribute("aria-activedescendant", selected.get_attribute("id") or "")
    page.keyboard.press("Escape")
    expect(page.locator("#content")).to_be_focused()
    expect(page.locator("#content")).to_have_value("a draft")

    # What is typed before the page is shown is written there. The server has suggested the person, whose page begins
    # with a button.
    for query, path, name, typed in (
        ("design", room_path(design), "Design", "typed at once"),
        ("bo", "/direct/bob", "Bob", ""),
    ):
        page.keyboard.press("Control+k")
        page.keyboard.type(query)
        expect(selected).to_have_text(re.compile(name))
        page.keyboard.press("Enter")
        page.keyboard.type(typed)
        expect(page).to_have_url(re.compile(path + "$"))
        expect(page).to_have_title(f"{name} · chatapp")
    page.keyboard.press("Control+k")
    expect(selected).to_have_text(re.compile("Design"))
    page.keyboard.press("Enter")
    expect(page.locator("#content")).to_have_value("typed at once")
    page.keyboard.press("Control+k")
    page.keyboard.type("gen")
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_have_attribute("data-conversation", "general")
    expect(page.locator("#content")).to_have_value("a draft")
    page.keyboard.press("Control+k")
    page.keyboard.type("plans")
    expect(page.get_by_role("option")).to_have_text(["Search messages for “plans”"])
    assert page.evaluate("window.isMarked") is True

    phone = wait_until_connected(new_page(ana, **PHONE))
    phone.get_by_role("button", name="Jump to a page").tap()
    phone.keyboard.type("lun")
    phone.get_by_role("option", name="Lunch").tap()
    expect(phone.locator("main")).to_have_attribute("data-conversation", lunch)
    expect(phone.locator("[data-jump-dialog]")).to_be_hidden()


def test_people_are_chosen_by_typing_for_a_group_and_for_a_room(ana: Person, bob: Person, new_page: NewPage) -> None:
    room = ana.create_room("Design")
    add_people(ana.server, "cyd", "dan", "mallory")
    page = wait_until_connected(new_page(ana, "/direct"))
    field = page.get_by_role("combobox", name="To")
    options, chips = page.get_by_role("option"), page.locator(".chip")
    expect(field).to_be_focused()
    page.keyboard.type("bo")
    expect(options).to_have_text(re.compile("Bob"))
    page.keyboard.press("Enter")
    page.keyboard.type("mal")
    expect(options).to_have_text(re.compile("Mallory"))
    page.keyboard.press("Tab")
    expect(chips).to_have_text([re.compile("Bob"), re.compile("Mallory")])
    page.keyboard.press("Backspace")
    page.keyboard.type("c")
    # People that are chosen already are not suggested again.
    expect(options).to_have_text([re.compile("Cyd")])
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/direct/bob,cyd$"))

    phone = wait_until_connected(new_page(ana, f"{room_path(room)}/settings", **PHONE))
    phone.get_by_role("combobox", name="Add people").tap()
    options = phone.locator(".person-picker").get_by_role("option")
    expect(options).to_have_count(4)  # All but Ana, who is a member.
    options.filter(has_text="Dan").tap()
    phone.keyboard.type("nobody")
    phone.get_by_role("button", name="Add", exact=True).tap()
    expect(phone.get_by_role("alert")).to_contain_text("There is no user “nobody”")
    phone.locator(".chip", has_text="nobody").get_by_role("button").tap()
    phone.get_by_role("button", name="Add", exact=True).tap()
    expect(phone.locator("[aria-labelledby=room-members] .rows")).to_contain_text("@dan")


def test_people_are_added_to_a_new_room(ana: Person, bob: Person, new_page: NewPage) -> None:
    add_people(ana.server, "cyd")
    page = wait_until_connected(new_page(ana, "/rooms/new"))
    page.fill("#name", "Plans")
    field = page.get_by_role("combobox", name="Add people")
    field.press_sequentially("bo")
    expect(page.get_by_role("option")).to_have_text(re.compile("Bob"))
    page.keyboard.press("Enter")
    field.press_sequentially("nobody")
    page.click("text=Create room")
    expect(page.get_by_role("alert")).to_contain_text("There is no user “nobody”")
    # What was entered stays, and no room was created.
    expect(page.locator("#name")).to_have_value("Plans")
    expect(page.locator(".chip")).to_have_count(2)
    page.locator(".chip").last.get_by_role("button").click()
    page.click("text=Create room")
    expect(page.locator("[data-member-count]:not(template)").first).to_have_text("2")
    assert bob.get(page.url.removeprefix(ana.server.url)).ok
    assert ana.server.rows("SELECT name FROM conversations WHERE kind = 'room'") == [("Plans",)]
    plain = new_page(ana, "/rooms/new", java_script_enabled=False)
    plain.fill("#name", "Alone")
    plain.click("text=Create room")
    expect(plain.locator("[data-member-count]:not(template)").first).to_have_text("1")
