"""What one has not read, on the pages of two people."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import NewPage
from tests.browser.pages import numbers, say, wait_connected, wait_for_text, wait_sent
from tests.harness.people import Person
from tests.harness.servers import Server
from tests.integration.test_direct import open_direct

pytestmark = pytest.mark.browser


def entry(page: Page, conversation: str) -> Locator:
    return page.locator(f"[data-entry='{conversation}']")


def badge(page: Page, conversation: str) -> Locator:
    return entry(page, conversation).locator("[data-badge]")


def test_a_direct_message_is_announced_read_and_receipted_and_all_is_right_after_a_restart(
    server: Server, ana: Person, bob: Person, new_page: NewPage
) -> None:
    hers, his = wait_connected(new_page(ana, "/people")), wait_connected(new_page(bob))
    hers.click("text=Bob")
    wait_connected(hers)
    expect(hers).to_have_url(re.compile("/direct/bob$"))
    say(hers, "have you seen this?")
    wait_sent(hers)
    name = hers.locator("main").get_attribute("data-conversation") or ""
    expect(entry(his, name)).to_contain_text("Ana")
    expect(badge(his, name)).to_have_text(re.compile(r"^1"))
    expect(his).to_have_title(re.compile(r"^\(1\) General"))
    expect(his.locator("link[rel=icon]")).to_have_attribute("href", re.compile("icon-unread"))

    server.kill()
    server.start()
    wait_connected(his)
    expect(badge(his, name)).to_have_text(re.compile(r"^1"))
    expect(hers.locator(".read-receipts")).to_have_count(0)
    entry(his, name).click()
    wait_connected(his)
    wait_for_text(his, "have you seen this?")
    expect(his.locator(".unread-divider")).to_be_visible()
    his.bring_to_front()
    expect(badge(his, name)).to_be_hidden()
    expect(hers.locator(".read-receipts")).to_have_text("Read by Bob")
    expect(his).to_have_title(re.compile(r"^\s*Ana"))

    server.kill()
    server.start()
    for page in (hers, his):
        page.reload()
        wait_connected(page)
    expect(hers.locator(".read-receipts")).to_have_text("Read by Bob")
    expect(badge(his, name)).to_be_hidden()
    shows_typing_and_presence(hers, his)


def shows_typing_and_presence(hers: Page, his: Page) -> None:
    dot = hers.locator(".topbar [data-presence-of]")
    expect(dot).to_have_attribute("data-presence", "online")
    expect(dot).to_have_attribute("aria-label", "online")
    his.locator("#content").press_sequentially("I am")
    line = hers.locator("[data-typing]")
    expect(line).to_have_text("Bob is typing…")
    his.press("#content", "Enter")
    wait_for_text(hers, "I am")
    expect(line).to_have_text("")
    his.locator("#content").press_sequentially("not sent")
    expect(line).to_have_text("Bob is typing…")
    expect(line).to_have_text("")
    his.fill("#content", "")
    his.context.close()
    expect(dot).to_have_attribute("data-presence", "offline")


def test_the_counts_are_the_same_on_two_devices(ana: Person, bob: Person, new_page: NewPage) -> None:
    room = ana.create_room("Design")
    ana.invite(room, bob)
    socket = ana.connect()
    desk = wait_connected(new_page(bob))
    phone = wait_connected(new_page(bob, "/people", viewport={"width": 360, "height": 740}))
    for number in range(3):
        socket.post(f"message {number}", room)
    socket.post("and you, @bob", room)
    for page in (desk, phone):
        expect(badge(page, room)).to_have_text(re.compile("^4"))
        expect(page).to_have_title(re.compile(r"^\(1\)"))
    desk.bring_to_front()
    entry(desk, room).click()
    wait_connected(desk)
    expect(desk.locator(".message.mentions-me .mention")).to_have_text("@bob")
    for page in (desk, phone):
        expect(badge(page, room)).to_have_attribute("data-unread", "0")
    expect(phone).not_to_have_title(re.compile(r"^\(1\)"))

    desk.locator(".message").nth(1).hover()
    desk.click("[data-message-toolbar] [data-mark-unread]")
    for page in (desk, phone):
        expect(badge(page, room)).to_have_attribute("data-unread", "3")
    expect(desk.locator(".unread-divider + .message .message-body")).to_have_text("message 1")


def test_one_can_go_to_the_first_unread_message(ana: Person, bob: Person, new_page: NewPage) -> None:
    name = open_direct(ana, bob)
    socket = ana.connect()
    for number in range(80):
        socket.post(f"message {number}", name)
    page = wait_connected(new_page(bob, "/direct/ana"))
    note = page.locator("[data-unread-banner]")
    expect(note).to_contain_text("80 unread messages")
    assert numbers(page)[0] > 1
    note.locator("a").click()
    expect(page.locator("#message-1")).to_be_in_viewport()
    expect(page.locator(".unread-divider + #message-1")).to_have_count(1)
    expect(note).to_be_hidden()


def test_names_are_completed_while_one_writes(ana: Person, bob: Person, eve: Person, new_page: NewPage) -> None:
    room = ana.create_room()
    ana.invite(room, bob)
    page = wait_connected(new_page(ana, "/rooms/" + room.removeprefix("room_")))
    options = page.locator("[data-mention-options] [role=option]")
    page.locator("#content").press_sequentially("hello @b")
    expect(options).to_have_count(1)
    page.press("#content", "Enter")
    expect(page.locator("#content")).to_have_value("hello @bob ")
    page.locator("#content").press_sequentially("and @")
    expect(options).to_have_count(4)  # Two people, the assistant, everybody.
    page.press("#content", "Escape")
    expect(page.locator("[data-mention-options]")).to_be_hidden()
    page.locator("#content").press_sequentially("eve")
    expect(options).to_have_count(0)
    page.press("#content", "Enter")
    wait_sent(page)
    expect(page.locator(".mention")).to_have_text("@bob")


def test_a_name_for_everybody_in_a_large_room_is_asked_about(server: Server, ana: Person, new_page: NewPage) -> None:
    room = ana.create_room()
    server.execute(
        "INSERT INTO users (username, name, password_hash, role, created_at) VALUES "
        + ", ".join(f"('p{i}', 'P', 'x', 'member', '2026-01-01 00:00:00')" for i in range(25))
    )
    server.execute(
        "INSERT INTO memberships (conversation_id, user_id, role, created_at) "
        f"SELECT {room.removeprefix('room_')}, id, 'member', '2026-01-01 00:00:00' FROM users WHERE name = 'P'"
    )
    page = wait_connected(new_page(ana, "/rooms/" + room.removeprefix("room_")))
    dialog = page.locator("[data-mention-all-dialog]")
    say(page, "@all lunch?")
    expect(dialog).to_contain_text("26 people")
    dialog.locator("text=Cancel").click()
    expect(page.locator("#content")).to_have_value("@all lunch?")
    page.press("#content", "Enter")
    dialog.locator("button", has_text="Send").click()
    wait_sent(page)
    expect(page.locator(".mention")).to_have_text("@all")
