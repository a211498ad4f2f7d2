"""Actions and queries on a conversation's page in a browser."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.harness.people import Person

NewPage = Callable[..., Page]
"""Type of the fixture `new_page`."""

PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
"""Options of a page on a small phone."""

SCROLLS_SIDEWAYS = "document.documentElement.scrollWidth > document.documentElement.clientWidth"

MESSAGES = "[data-messages] > .message"


def send_message(page: Page, text: str) -> None:
    """Fill the composer and press Enter."""
    page.fill("#content", text)
    page.press("#content", "Enter")


def open_pages(sender: Person, reader: Person, new_page: NewPage, text: str) -> tuple[Page, Page]:
    """Open the general chat for two people, and return both pages when the sender's first message is on the other."""
    sender_page, reader_page = wait_until_connected(new_page(sender)), wait_until_connected(new_page(reader))
    send_message(sender_page, text)
    expect(reader_page.locator("#message-1")).to_be_visible()
    return sender_page, reader_page


def message_texts(page: Page) -> list[str]:
    """Return the texts of the messages on the page."""
    texts: list[str] = page.eval_on_selector_all(
        MESSAGES, "messages => messages.map((message) => message.querySelector('.message-body').textContent)"
    )
    return texts


def message_seqs(page: Page) -> list[int]:
    """Return the numbers of the messages on the page that are stored."""
    seqs: list[int] = page.eval_on_selector_all(
        f"{MESSAGES}[data-seq]", "messages => messages.map((message) => Number(message.dataset.seq))"
    )
    return seqs


def wait_until_connected(page: Page) -> Page:
    """Wait until the page's socket is connected, and return the page."""
    expect(page.locator("[data-connection]")).to_have_attribute("data-state", "connected")
    return page


def wait_until_stored(page: Page) -> None:
    """Wait until all messages on the page are stored."""
    expect(page.locator(f"{MESSAGES}:not([data-seq])")).to_have_count(0)


def wait_for_message(page: Page, text: str) -> None:
    """Wait until a message with this text is visible."""
    expect(page.locator(".message-body", has_text=text).last).to_be_visible()
