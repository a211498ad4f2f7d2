"""Where things are on a conversation's page, in a window and on a phone."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.harness.pages import PHONE, NewPage, wait_until_connected
from tests.harness.people import Person, room_path

pytestmark = pytest.mark.browser

TEXT_EDGES = """(body) => {
  const text = document.createRange();
  text.selectNodeContents(body);
  const [inner, outer] = [text, body.closest(".message-content")].map((each) => each.getBoundingClientRect());
  return [inner.left - outer.left, outer.right - inner.right].map((gap) => Math.round(gap));
}"""


def box(page: Page, selector: str) -> Any:
    return page.locator(selector).first.bounding_box()


def test_short_conversations_end_at_the_composer_and_hide_nothing(ana: Person, new_page: NewPage) -> None:
    plain, described = ana.create_room("Plain"), ana.create_room("Described", topic="With a topic")
    socket = ana.connect()
    for text in ("hello", "שלום עולם!", "🎉👍", "the last"):
        socket.post(text, plain)
    page = wait_until_connected(new_page(ana, room_path(plain)))
    last, foot = box(page, "[data-messages] > :last-child"), box(page, ".conversation-foot")
    assert 0 <= foot["y"] - (last["y"] + last["height"]) < 16

    left, right = page.locator(".message-body", has_text="שלום").evaluate(TEXT_EDGES)
    assert right == 0 < left
    sizes = page.eval_on_selector_all(".message-body", "bodies => bodies.map((b) => getComputedStyle(b).fontSize)")
    assert [size == "32px" for size in sizes] == [False, False, True, False]
    expect(page.locator("[data-connection]")).to_be_hidden()

    # The oldest message is at the top of the view.
    page.set_viewport_size({"width": 1280, "height": 260})
    page.locator("[data-timeline]").evaluate("view => { view.scrollTop = 9999; }")
    view_top = box(page, "[data-timeline]")["y"]
    for message in page.locator(".message").all():
        if message.bounding_box()["y"] >= view_top:  # type: ignore[index]
            message.hover()
            assert box(page, "[data-message-toolbar]")["y"] >= view_top

    above = box(page, "h1 [data-title]")["y"]
    page.click(f"[data-entry='{described}']")
    expect(page.locator("h1 [data-title]")).to_have_text("Described")
    assert abs(box(page, "h1 [data-title]")["y"] - above) < 1


def test_a_refused_edit_shows_the_reason_below_the_text(ana: Person, new_page: NewPage) -> None:
    ana.connect().post("hello")
    page = wait_until_connected(new_page(ana))
    page.press("#content", "ArrowUp")
    page.fill(".message-edit textarea", "")
    page.click(".message-edit >> text=Save")
    text, error, form = (
        box(page, selector) for selector in (".message-edit textarea", ".message-edit [data-error]", ".message-edit")
    )
    assert error["y"] >= text["y"] + text["height"]
    assert error["x"] == form["x"]
    assert text["width"] > 0.9 * form["width"]


def test_a_text_has_the_width_of_a_phone_with_the_buttons_below_it(ana: Person, new_page: NewPage) -> None:
    page = wait_until_connected(new_page(ana, **PHONE))
    empty = box(page, ".composer-box")
    page.fill("#content", "A sentence")
    text, button = box(page, "#content"), box(page, ".send-button")
    assert text["width"] > 0.9 * empty["width"]
    assert button["y"] >= text["y"] + text["height"]
    page.fill("#content", "")
    assert box(page, ".composer-box") == empty


def test_phones_do_not_zoom_into_fields(ana: Person, new_page: NewPage) -> None:
    page = new_page(ana, **PHONE)
    for path in ("/", "/rooms/new", "/settings", "/people"):
        page.goto(ana.server.url + path)
        sizes = page.eval_on_selector_all(
            "input:not([type=hidden]), textarea, select", "fields => fields.map((f) => getComputedStyle(f).fontSize)"
        )
        assert [size for size in sizes if float(size.removesuffix("px")) < 16] == [], path


def test_pages_begin_in_the_field_or_at_the_button_that_they_are_for(
    ana: Person, bob: Person, new_page: NewPage
) -> None:
    room = bob.create_room("Lunch", "open")
    expect(new_page(url=ana.server.url, path="/sign-in").locator("#username")).to_be_focused()
    page = wait_until_connected(new_page(ana))
    page.click("[aria-label='New room']")
    expect(page.locator("#name")).to_be_focused()
    page.keyboard.type("Design")
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_contain_text("Only you are in this room.")
    page.get_by_role("link", name="Add people").click()
    expect(page.get_by_role("combobox", name="Add people")).to_be_focused()
    page.keyboard.type("bob")
    expect(page.get_by_role("option")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page.locator("[data-picker-status]")).to_have_text("Bob added")
    add = page.get_by_role("button", name="Add", exact=True).bounding_box()
    assert add is not None
    assert abs(add["y"] - box(page, ".picker-box")["y"]) <= 1
    page.click(".sidebar >> text=People")
    page.press("#q", "b")
    page.press("#q", "Enter")
    expect(page).to_have_url(re.compile("q=b$"))
    expect(page.locator("#q")).to_be_focused()
    for path, name in ((room_path(room), "Join room"), ("/direct/bob", "Start conversation")):
        page.goto(ana.server.url + path)
        expect(page.get_by_role("button", name=name)).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("#content")).to_be_focused()
    page.goto(f"{ana.server.url}/templates/new")
    expect(page.locator("#name")).to_be_focused()


def test_late_suggestions_do_not_replace_who_was_chosen(ana: Person, bob: Person, new_page: NewPage) -> None:
    page = wait_until_connected(new_page(ana, path=f"{room_path(ana.create_room())}/settings"))
    late: list[Route] = []
    page.route(re.compile(r"[?]text=$"), lambda route: late.append(route))  # noqa: PLW0108 - Playwright inspects it
    page.get_by_role("combobox", name="Add people").fill("bob")
    page.get_by_role("option").click()
    with page.expect_response(re.compile(r"[?]text=$")):
        late[0].continue_()
    expect(page.locator("[data-chips]")).to_have_text(re.compile(bob.username, re.IGNORECASE))
    expect(page.get_by_role("option")).to_have_count(0)
    expect(page.locator("[data-picker-status]")).to_have_text("Bob added")


def test_the_focus_stays_in_the_sidebar_when_it_is_refreshed(ana: Person, new_page: NewPage) -> None:
    room = ana.create_room("Design")
    page = wait_until_connected(new_page(ana))
    page.focus(f"[data-entry='{room}']")
    ana.create_room("Sales")
    with page.expect_response("**/sidebar*"):
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("[data-sidebar]")).to_contain_text("Sales")
    expect(page.locator(f"[data-entry='{room}']")).to_be_focused()
