"""Scheduling messages and reminders on the page."""

import uuid
from datetime import datetime, timedelta

import pytest
from playwright.sync_api import FilePayload, Page, WebSocketRoute, expect

from tests.harness.media import draw, encode
from tests.harness.message_actions import choose
from tests.harness.pages import NewPage, message_texts, send_message, wait_until_connected
from tests.harness.people import Person, room_path

pytestmark = pytest.mark.browser


def open_menu(page: Page, text: str) -> None:
    page.get_by_role("textbox", name="Message Design").fill(text)
    page.get_by_role("button", name="Send later").click()


def test_a_message_is_scheduled_listed_on_all_devices_and_sent(ana: Person, bob: Person, new_page: NewPage) -> None:
    room = ana.create_room("Design")
    ana.invite(room, bob)
    path = room_path(room)
    page, other = (wait_until_connected(new_page(bob, path)) for _ in range(2))
    open_menu(page, "")
    expect(page.get_by_role("alert").filter(has_text="Write a message first")).to_be_visible()
    open_menu(page, "the first")
    page.get_by_role("button", name="In 1 hour").click()
    expect(page.get_by_role("status").filter(has_text="Scheduled: ")).to_be_visible()
    expect(page.get_by_role("textbox", name="Message Design")).to_have_value("")

    open_menu(page, "the second")
    field = page.locator("[data-send-later-menu] input")
    field.fill("2020-01-01T09:00")
    field.press("Enter")
    expect(page.locator("[data-send-later-menu] [data-due-error]")).to_contain_text("has passed")
    day = datetime.now().astimezone() + timedelta(days=3)
    field.fill(f"{day:%Y-%m-%d}T09:00")
    page.locator("[data-send-later-menu] [data-due-chosen]").click()
    for each in (page, other):
        expect(each.locator("[data-scheduled-note]")).to_have_text("2 messages scheduled for this conversation")
        expect(each.get_by_role("link", name="Scheduled", exact=True)).to_be_visible()

    # One device shows the list, while the other one changes it.
    other.get_by_role("link", name="Scheduled", exact=True).click()
    items = other.locator("[data-scheduled-id]")
    expect(items).to_have_count(2)
    expect(items.nth(1)).to_contain_text("at 9:00" if "AM" in items.nth(1).inner_text() else "at 09:00")
    socket = bob.connect()
    first = items.first.get_attribute("data-scheduled-id") or ""
    assert socket.call("delete_scheduled", {"id": int(first)})["ok"]
    expect(items).to_have_count(1)
    items.get_by_role("button", name="Send now").click()
    expect(other.locator(".message", has_text="the second")).to_be_visible()
    expect(page.locator(".message", has_text="the second")).to_be_visible()
    expect(page.locator("[data-scheduled-note]")).to_be_hidden()
    expect(page.get_by_role("link", name="Scheduled", exact=True)).to_be_hidden()


def test_a_message_that_cannot_be_sent_is_pointed_out(ana: Person, bob: Person, new_page: NewPage) -> None:
    room = ana.create_room("Design")
    ana.invite(room, bob)
    page = wait_until_connected(new_page(bob, "/scheduled"))
    socket = bob.connect()
    due_at = (datetime.now().astimezone() + timedelta(seconds=1)).isoformat()
    payload = {"conversation": room, "content": "late", "client_id": "0e8a4ff2-3c1b-4a57-9d0e-5f2c8f0a1b2c"}
    assert socket.call("schedule_message", payload | {"due_at": due_at})["ok"]
    ana.remove(room, bob)
    expect(page.get_by_role("status").filter(has_text="was not sent")).to_be_visible()
    expect(page.locator("[data-scheduled-id]")).to_contain_text("Not sent")
    expect(page.locator("[data-inbox=scheduled]")).to_contain_text("1")


def test_the_list_is_current_after_a_lost_connection_and_keeps_what_is_edited(ana: Person, new_page: NewPage) -> None:
    socket = ana.connect()
    for days, content in enumerate(("first", "second"), 1):
        due_at = (datetime.now().astimezone() + timedelta(days=days)).isoformat()
        payload = {"conversation": "general", "content": content, "client_id": str(uuid.uuid4()), "due_at": due_at}
        second = socket.call("schedule_message", payload)["scheduled"]
    page = wait_until_connected(new_page(ana, "/scheduled"))
    items = page.locator("[data-scheduled-id]")
    items.first.get_by_text("Edit", exact=True).click()
    field = items.first.get_by_role("textbox", name="Message")
    field.fill("changed")
    page.context.set_offline(offline=True)
    expect(page.locator("[data-connection]")).to_have_attribute("data-state", "offline")
    assert socket.call("delete_scheduled", {"id": second["id"]})["ok"]
    page.context.set_offline(offline=False)
    expect(items).to_have_count(1)
    expect(field).to_have_value("changed")
    expect(field).to_be_focused()


def test_a_message_that_moves_to_the_next_page_while_it_is_edited_can_be_saved(ana: Person, new_page: NewPage) -> None:
    socket = ana.connect()

    def schedule(content: str, **delay: float) -> None:
        due_at = (datetime.now().astimezone() + timedelta(**delay)).isoformat()
        payload = {"conversation": "general", "content": content, "client_id": str(uuid.uuid4()), "due_at": due_at}
        assert socket.call("schedule_message", payload)["ok"]

    schedule("last", days=9)
    page = wait_until_connected(new_page(ana, "/scheduled"))
    page.locator("[data-scheduled-id]").get_by_text("Edit", exact=True).click()
    page.get_by_role("textbox", name="Message").fill("last, with a correction")
    for number in range(50):
        schedule(f"message {number}", days=1, minutes=number)
    expect(page.get_by_role("link", name="More scheduled messages")).to_be_visible()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("textbox", name="Message")).to_have_count(0)
    page.get_by_role("link", name="More scheduled messages").click()
    expect(page.locator("[data-scheduled-id] .listed-text")).to_have_text(["last, with a correction"])


def test_a_reminder_of_a_message_is_set_by_its_menu_and_points_itself_out(ana: Person, new_page: NewPage) -> None:
    socket = ana.connect()
    socket.post("the plan")
    page, other = (wait_until_connected(new_page(ana, path)) for path in ("/", "/scheduled"))
    choose(page, 1, "Remind me…")
    page.locator("[data-remind-menu]").get_by_role("button", name="In 20 minutes").click()
    expect(page.get_by_role("status").filter(has_text="Reminder set: ")).to_be_visible()
    items = other.locator("[data-scheduled-id]")
    expect(items).to_contain_text("the plan")
    page.get_by_role("textbox", name="Message General").fill("/remind me to rest in 3 hours")
    page.keyboard.press("Enter")
    # The toast of the first one may still be there.
    expect(page.locator("[data-composer-notice]")).to_contain_text("Reminder set: ")
    expect(items).to_have_count(2)
    (first, _) = ana.api().get("/reminders").json()["reminders"]
    due_at = (datetime.now().astimezone() + timedelta(seconds=1)).isoformat()
    assert socket.call("move_reminder", {"id": first["id"], "due_at": due_at})["ok"]
    expect(page.get_by_role("status").filter(has_text="Reminder about a message")).to_be_visible()
    expect(page.locator("[data-inbox=scheduled]")).to_contain_text("1")
    items.first.get_by_role("button", name="Mark as done").click()
    expect(items).to_have_count(1)


def test_what_is_edited_while_its_message_is_sent_is_kept_with_an_explanation(ana: Person, new_page: NewPage) -> None:
    socket = ana.connect()
    due_at = (datetime.now().astimezone() + timedelta(days=1)).isoformat()
    payload = {"conversation": "general", "content": "first", "client_id": str(uuid.uuid4()), "due_at": due_at}
    scheduled = socket.call("schedule_message", payload)["scheduled"]
    page = wait_until_connected(new_page(ana, "/scheduled"))
    page.locator("[data-scheduled-id]").get_by_text("Edit", exact=True).click()
    field = page.get_by_role("textbox", name="Message")
    field.fill("first, with a correction")
    assert socket.call("send_scheduled", {"id": scheduled["id"]})["ok"]
    expect(page.get_by_role("alert").filter(has_text="was sent or deleted")).to_be_visible()
    expect(field).to_have_value("first, with a correction")
    expect(page.get_by_role("button", name="Save")).to_be_hidden()


def test_a_picture_is_scheduled_once_it_is_uploaded_and_can_be_edited_until_it_is_sent(
    ana: Person, new_page: NewPage
) -> None:
    picture = FilePayload(name="sea.png", mimeType="image/png", buffer=encode(draw(320, 200), "PNG"))
    notes = FilePayload(name="notes.txt", mimeType="text/plain", buffer=b"Remember")
    page = wait_until_connected(new_page(ana))
    page.route("**/uploads/*", lambda route: route.abort())
    page.set_input_files("[data-attach-input]", [picture, notes])
    page.get_by_role("button", name="Send later").click()
    page.get_by_role("button", name="In 1 hour").click()
    notice = page.locator("[data-composer-notice]")
    expect(notice).to_contain_text("once its files are uploaded")
    page.unroute("**/uploads/*")
    expect(notice).to_contain_text("Scheduled: ")
    expect(page.locator(".attachment")).to_have_count(0)

    page.get_by_role("link", name="Scheduled", exact=True).click()
    items = page.locator("[data-scheduled-id]")
    expect(items.locator(".file-image")).to_have_js_property("naturalWidth", 320)
    items.get_by_text("Edit", exact=True).click()
    page.get_by_role("checkbox", name="notes.txt").check()
    page.get_by_label("Add files").set_input_files(notes | {"name": "other.txt"})
    page.get_by_role("button", name="Save").click()
    expect(items.locator(".file-name")).to_have_text("other.txt")
    due_at = (datetime.now().astimezone() + timedelta(seconds=1)).isoformat()
    (scheduled,) = ana.api().get("/scheduled").json()["scheduled"]
    assert ana.connect().call("change_scheduled", {"id": scheduled["id"], "due_at": due_at})["ok"]
    expect(items).to_have_count(0)
    page.goto(ana.server.url)
    expect(page.locator("#message-1 .file-image")).to_have_js_property("naturalWidth", 320)
    expect(page.locator("#message-1 .file-name")).to_have_text("other.txt")


def test_a_message_is_not_sent_as_well_while_the_server_has_not_acknowledged_that_it_is_scheduled(
    ana: Person, new_page: NewPage
) -> None:
    page = new_page(ana)
    held: list[str | bytes] = []
    is_holding = False
    sockets: list[WebSocketRoute] = []

    def connect(route: WebSocketRoute) -> None:
        sockets.append(route)
        route.connect_to_server().on_message(lambda data: held.append(data) if is_holding else route.send(data))

    page.route_web_socket("**/socket.io/**", connect)
    page.reload()
    wait_until_connected(page)
    field, notice = page.locator("#content"), page.locator("[data-composer-notice]")
    field.fill("in an hour")
    is_holding = True
    page.get_by_role("button", name="Send later").click()
    page.get_by_role("button", name="In 1 hour").click()
    expect(notice).to_have_text("Scheduling…")
    expect(field).to_have_js_property("readOnly", value=True)
    field.press("Enter")
    is_holding = False
    for data in held:
        sockets[-1].send(data)
    expect(notice).to_contain_text("Scheduled: ")
    expect(field).to_have_js_property("readOnly", value=False)
    send_message(page, "now")
    expect(page.locator("#message-1 .message-body")).to_have_text("now")
    assert message_texts(page) == ["now"]
