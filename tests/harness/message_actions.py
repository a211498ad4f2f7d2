"""The actions of a message on a page: its toolbar and its menu."""

from playwright.sync_api import Locator, Page, expect


def show_toolbar(page: Page, seq: int) -> Locator:
    """Move the mouse over a message, and return its toolbar."""
    page.locator(f"#message-{seq}").hover()
    toolbar = page.locator("[data-message-toolbar]")
    expect(toolbar).to_be_visible()
    return toolbar


def open_menu(page: Page, seq: int) -> Locator:
    """Open the menu of a message."""
    show_toolbar(page, seq).locator("[data-open-menu]").click()
    menu = page.locator("[data-message-menu]")
    expect(menu).to_be_visible()
    return menu


def choose(page: Page, seq: int, name: str) -> None:
    """Choose an item of the menu of a message."""
    open_menu(page, seq).get_by_role("button", name=name).click()
