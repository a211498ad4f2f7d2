"""What tests do on a conversation's page, and what they read off it."""

from playwright.sync_api import Page, expect

SHOWN = "[data-messages] > .message"


def say(page: Page, text: str) -> None:
    """Write a message and press Enter."""
    page.fill("#content", text)
    page.press("#content", "Enter")


def bodies(page: Page, *, stored: bool = False) -> list[str]:
    """List what the messages on the page say; with `stored` only those that the server has acknowledged."""
    texts: list[str] = page.eval_on_selector_all(
        SHOWN + ("[data-seq]" if stored else ""),
        "messages => messages.map((each) => each.querySelector('.message-body').textContent)",
    )
    return texts


def numbers(page: Page) -> list[int]:
    """List the numbers of the messages on the page."""
    found: list[int] = page.eval_on_selector_all(
        SHOWN + "[data-seq]", "messages => messages.map((each) => Number(each.dataset.seq))"
    )
    return found


def wait_connected(page: Page) -> Page:
    """Wait until the socket has taken over."""
    expect(page.locator("[data-connection]")).to_have_attribute("data-state", "connected")
    return page


def wait_sent(page: Page) -> None:
    """Wait until nothing is on its way any more."""
    expect(page.locator(f"{SHOWN}:not([data-seq])")).to_have_count(0)


def wait_for_text(page: Page, text: str) -> None:
    """Wait until a message says this."""
    expect(page.locator(".message-body", has_text=text).last).to_be_visible()
