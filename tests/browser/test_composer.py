"""Writing with Markdown: the toolbar, the keys, and undo."""

import pytest
from playwright.sync_api import Page, expect

from tests.harness.pages import PHONE, NewPage, wait_until_connected
from tests.harness.people import Person

pytestmark = pytest.mark.browser

TEXT = "#content"


@pytest.fixture
def page(ana: Person, new_page: NewPage) -> Page:
    return wait_until_connected(new_page(ana))


def expect_text(page: Page, text: str) -> None:
    expect(page.locator(TEXT)).to_have_value(text)


def select_end(page: Page, count: int) -> None:
    """Select the last characters of the composer by keyboard."""
    page.press(TEXT, "End")
    for _ in range(count):
        page.press(TEXT, "Shift+ArrowLeft")


def test_keys_and_buttons_format_what_is_selected_and_undo_takes_it_back(page: Page) -> None:
    page.locator(TEXT).press_sequentially("see this")
    select_end(page, 4)
    for key, text in (
        ("Control+b", "see **this**"),
        ("Control+i", "see ***this***"),
        ("Control+b", "see *this*"),
        ("Control+i", "see this"),
        ("Control+e", "see `this`"),
        ("Control+z", "see this"),
        ("Control+Shift+x", "see ~~this~~"),
        ("Control+z", "see this"),
        ("Control+Shift+u", "see [this](url)"),
    ):
        page.press(TEXT, key)
        expect_text(page, text)
    page.keyboard.type("https://a.example")
    expect_text(page, "see [this](https://a.example)")

    page.fill(TEXT, "")
    page.click("[data-format=list]")
    page.keyboard.type("one")
    page.press(TEXT, "Shift+Enter")
    page.keyboard.type("two")
    page.press(TEXT, "Tab")
    expect_text(page, "- one\n  - two")
    page.press(TEXT, "Shift+Tab")
    page.press(TEXT, "Shift+Enter")
    page.press(TEXT, "Shift+Enter")
    page.keyboard.type("end")
    expect_text(page, "- one\n- two\nend")
    for _ in range(2):
        page.press(TEXT, "Control+z")
    expect_text(page, "- one\n- two\n- ")

    page.fill(TEXT, "no list")
    page.press(TEXT, "Shift+Tab")
    expect(page.locator("[data-toggle-formatting]")).not_to_be_focused()
    expect(page.locator("[data-format=bold]")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(page.locator("[data-format=italic]")).to_be_focused()
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    expect_text(page, "1. no list")
    expect(page.locator(TEXT)).to_be_focused()


def test_the_editor_of_messages_formats_too(ana: Person, page: Page) -> None:
    ana.connect().post("hello")
    expect(page.locator(".message-body", has_text="hello")).to_be_visible()
    page.press(TEXT, "ArrowUp")
    text = page.locator(".message-edit textarea")
    text.press("Control+a")
    text.press("Control+b")
    expect(text).to_have_value("**hello**")
    page.click(".message-edit [data-format=quote]")
    expect(text).to_have_value("> **hello**")
    expect(text).to_be_focused()


def test_the_toolbar_stays_hidden_or_shown(page: Page, ana: Person, new_page: NewPage) -> None:
    toggle, toolbar = page.locator("[data-toggle-formatting]"), page.locator("[data-formatting-toolbar]")
    expect(toggle).to_have_attribute("aria-expanded", "true")
    toggle.click()
    page.reload()
    expect(toolbar).to_be_hidden()
    expect(toggle).to_have_attribute("aria-expanded", "false")

    phone = wait_until_connected(new_page(ana, **PHONE))
    toggle, toolbar = phone.locator("[data-toggle-formatting]"), phone.locator("[data-formatting-toolbar]")
    expect(toolbar).to_be_hidden()
    toggle.tap()
    expect(toolbar).to_be_visible()
    phone.fill(TEXT, "word")
    phone.locator("[data-format=bold]").tap()
    expect(phone.locator(TEXT)).to_have_value("**word**")
