"""Editing, deleting and reacting on the page, and the actions that each person may use."""

import pytest
from playwright.sync_api import Page, expect

from tests.harness.message_actions import choose, open_menu, show_toolbar
from tests.harness.pages import (
    PHONE,
    NewPage,
    message_texts,
    send_message,
    wait_for_message,
    wait_until_connected,
    wait_until_stored,
)
from tests.harness.people import Person
from tests.harness.servers import Server

pytestmark = pytest.mark.browser


def available_actions(page: Page, seq: int) -> set[str]:
    """Open the menu of a message, and return the labels of it and of the toolbar."""
    open_menu(page, seq)
    toolbar = page.locator("[data-message-toolbar] :is(button, a):visible").all()
    items = page.locator("[data-message-menu] :is(button, a):visible").all()
    return {button.get_attribute("aria-label") or "" for button in toolbar} | {item.inner_text() for item in items}


def react(page: Page, seq: int, name: str) -> None:
    show_toolbar(page, seq).locator("[data-react]").click()
    page.locator(f"[data-reaction-picker] [aria-label='{name}']").click()


@pytest.fixture
def pages(ana: Person, bob: Person, new_page: NewPage) -> tuple[Page, Page]:
    """The pages of Bob, a member, and of Ana, an administrator, with a message by each."""
    bob_page, ana_page = wait_until_connected(new_page(bob)), wait_until_connected(new_page(ana))
    send_message(bob_page, "from bob")
    wait_until_stored(bob_page)
    send_message(ana_page, "from ana")
    wait_for_message(bob_page, "from ana")
    return bob_page, ana_page


def test_the_toolbar_has_the_actions_that_the_person_may_use(pages: tuple[Page, Page]) -> None:
    bob_page, ana_page = pages
    everybody = {
        "React",
        "Reply",
        "Reply in thread",
        "More",
        "Forward…",
        "Copy link",
        "Save",
        "Remind me…",
        "Mark as unread",
    }
    assert available_actions(bob_page, 1) == everybody | {"Edit", "Delete"}
    bob_page.locator("h1").click()
    assert available_actions(bob_page, 2) == everybody
    assert available_actions(ana_page, 1) == everybody | {"Pin", "Delete"}


def test_actions_are_not_offered_after_their_time_limits(pages: tuple[Page, Page]) -> None:
    bob_page, ana_page = pages
    for page in pages:
        page.evaluate("Object.assign(document.querySelector('main').dataset, {editSeconds: 60, deleteSeconds: 60})")
        open_menu(page, 1)
        page.evaluate("document.querySelector('#message-1').dataset.created = '2026-01-01T00:00:00Z'")
        page.locator("h1").click()
    assert not available_actions(bob_page, 1) & {"Edit", "Delete"}
    assert "Delete" in available_actions(ana_page, 1)
    bob_page.press("#content", "ArrowUp")
    expect(bob_page.locator(".message-edit")).to_have_count(0)


def test_a_copied_link_leads_to_the_message(server: Server, pages: tuple[Page, Page]) -> None:
    bob_page, ana_page = pages
    bob_page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    choose(bob_page, 2, "Copy link")
    expect(bob_page.get_by_role("status").filter(has_text="Link copied")).to_be_visible()
    link = bob_page.evaluate("navigator.clipboard.readText()")
    assert link == f"{server.url}/conversations/general/messages/2"
    ana_page.goto(link)
    expect(ana_page.locator("#message-2:focus")).to_be_visible()


def test_an_edit_is_shown_on_all_pages_and_after_a_reload(pages: tuple[Page, Page]) -> None:
    bob_page, ana_page = pages
    bob_page.press("#content", "ArrowUp")
    form = bob_page.locator("#message-1 .message-edit")
    expect(form.locator("textarea")).to_have_value("from bob")
    form.locator("textarea").press_sequentially(" and @an")
    expect(form.get_by_role("option")).to_have_count(1)
    form.locator("textarea").press("Enter")
    expect(form.locator("textarea")).to_have_value("from bob and @ana ")
    form.locator("textarea").fill("from Robert")
    form.locator("textarea").press("Enter")
    for page in (bob_page, ana_page):
        expect(page.locator("#message-1 .message-body")).to_have_text("from Robert")
        expect(page.locator("#message-1 .message-edited")).to_be_visible()
    ana_page.reload()
    assert message_texts(ana_page) == ["from Robert", "from ana"]


def test_an_unsaved_edit_survives_a_restart_and_changes_by_others(server: Server, pages: tuple[Page, Page]) -> None:
    bob_page, ana_page = pages
    choose(bob_page, 1, "Edit")
    text = bob_page.locator("#message-1 .message-edit textarea")
    text.fill("half of")
    react(ana_page, 1, "Heart")
    expect(bob_page.locator("#message-1 .reaction")).to_be_visible()
    server.kill()
    server.start()
    wait_until_connected(bob_page)
    expect(text).to_have_value("half of")
    text.press("Enter")
    expect(ana_page.locator("#message-1 .message-body")).to_have_text("half of")
    expect(ana_page.locator("#message-1 .reaction")).to_be_visible()


def test_the_toolbar_does_not_cover_a_reaction_on_a_phone(ana: Person, new_page: NewPage) -> None:
    ana.connect().post("hello")
    page = wait_until_connected(new_page(ana, **PHONE))
    page.locator("[data-more]").tap()
    page.locator("[data-react]").tap()
    page.locator("[data-reaction-picker] [data-emoji='👍']").tap()
    expect(page.locator("#message-1 .reaction")).to_be_visible()
    expect(page.locator("[data-message-toolbar]")).to_be_hidden()
    page.locator("[data-more]").tap()
    page.locator("[data-open-menu]").tap()
    page.get_by_role("button", name="Save").tap()
    expect(page.locator("#message-1 .message-saved")).to_be_visible()
    expect(page.locator("[data-message-toolbar]")).to_be_hidden()


def test_a_deleted_message_is_removed_from_all_pages(pages: tuple[Page, Page]) -> None:
    bob_page, ana_page = pages
    choose(ana_page, 1, "Delete")
    ana_page.locator("[data-delete-dialog] button", has_text="Cancel").click()
    expect(ana_page.locator("#message-1 .message-body")).to_have_text("from bob")
    choose(ana_page, 1, "Delete")
    ana_page.locator("[data-delete-dialog] button", has_text="Delete").click()
    for page in (bob_page, ana_page):
        expect(page.locator("#message-1")).to_contain_text("This message was deleted.")
    assert "from bob" not in bob_page.content()


def test_a_deletion_is_undone_by_a_click_and_by_keyboard(server: Server, pages: tuple[Page, Page]) -> None:
    bob_page, ana_page = pages

    def delete() -> None:
        choose(bob_page, 1, "Delete")
        bob_page.locator("[data-delete-dialog] button", has_text="Delete").click()
        for page in pages:
            expect(page.locator("#message-1")).to_contain_text("This message was deleted.")
        server.execute("UPDATE deletions SET deleted_at = '2999-01-01 00:00:00'")

    def expect_restored() -> None:
        for page in pages:
            expect(page.locator("#message-1 .message-body")).to_have_text("from bob")
        expect(bob_page.locator("#message-1:focus")).to_be_visible()
        expect(bob_page.get_by_role("button", name="Undo")).to_have_count(0)

    delete()
    expect(ana_page.get_by_role("button", name="Undo")).to_have_count(0)
    bob_page.get_by_role("status").get_by_role("button", name="Undo").click()
    expect_restored()

    delete()
    undo = bob_page.locator("#message-1").get_by_role("button", name="Undo")
    expect(undo).to_be_visible()
    expect(bob_page.locator("#message-1:focus")).to_be_visible()
    for _ in range(3):  # The avatar and the name are links.
        if not undo.evaluate("element => element.matches(':focus')"):
            bob_page.keyboard.press("Tab")
    bob_page.keyboard.press("Enter")
    expect_restored()


def test_reactions_are_counted_and_removed(pages: tuple[Page, Page]) -> None:
    bob_page, ana_page = pages
    show_toolbar(ana_page, 1)
    # It appears where it belongs: it is not painted before it has its place.
    picker = ana_page.locator("[data-reaction-picker]")
    assert picker.evaluate("picker => (picker.showPopover(), getComputedStyle(picker).visibility)") == "hidden"
    expect(picker).to_be_visible()
    ana_page.keyboard.press("Escape")
    react(ana_page, 1, "Thumbs up")
    button = bob_page.locator("#message-1 .reaction")
    expect(button).to_have_text("👍 1")
    expect(button).to_have_attribute("aria-pressed", "false")
    button.click()
    expect(ana_page.locator("#message-1 .reaction")).to_have_text("👍 2")
    expect(button).to_have_attribute("aria-pressed", "true")
    button.click()
    ana_page.locator("#message-1 .reaction").click()
    expect(button).to_have_count(0)


def test_the_toolbar_works_by_touch_and_by_keyboard(ana: Person, new_page: NewPage) -> None:
    socket = ana.connect()
    for text in ("one", "two"):
        socket.post(text)
    phone = wait_until_connected(new_page(ana, viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True))
    phone.goto(f"{ana.server.url}/conversations/general/messages/1")
    expect(phone.locator("#message-1:focus")).to_be_visible()
    expect(phone.locator("[data-message-toolbar]")).to_be_hidden()
    phone.locator("#message-1 [data-more]").tap()
    phone.locator("[data-message-toolbar] [data-react]").tap()
    phone.locator("[data-reaction-picker] [aria-label=Party]").tap()
    desktop = wait_until_connected(new_page(ana))
    expect(desktop.locator("#message-1 .reaction")).to_have_text("🎉 1")

    desktop.locator("#message-2").focus()
    desktop.keyboard.press("ArrowUp")
    expect(desktop.locator("#message-1")).to_be_focused()
    desktop.locator("[data-message-toolbar] [data-open-menu]").focus()
    desktop.keyboard.press("Enter")
    expect(desktop.locator("[data-copy-link]")).to_be_focused()
    desktop.keyboard.press("ArrowUp")
    desktop.keyboard.press("ArrowUp")
    expect(desktop.locator("[data-edit]")).to_be_focused()
    desktop.keyboard.press("Escape")
    expect(desktop.locator("[data-open-menu]")).to_be_focused()
    desktop.keyboard.press("Enter")
    # What is closed takes no focus.
    expect(desktop.locator("[data-copy-link]")).to_be_focused()
    desktop.locator("[data-edit]").focus()
    desktop.keyboard.press("Enter")
    expect(desktop.locator("#message-1 textarea")).to_be_focused()
    desktop.keyboard.type("!")
    desktop.keyboard.press("Enter")
    expect(desktop.locator("#message-1 .message-body")).to_have_text("one!")
    expect(phone.locator("#message-1 .message-body")).to_have_text("one!")
