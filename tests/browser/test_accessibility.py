"""All pages in both color schemes, with their menus and dialogs, as axe checks them; and their width on phones."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.harness.accessibility import list_overlay_violations, list_violations
from tests.harness.every_page import Pages, furnish
from tests.harness.pages import PHONE, SCROLLS_SIDEWAYS, NewPage, wait_until_connected
from tests.harness.people import Person
from tests.harness.servers import NewServer

pytestmark = pytest.mark.browser

THIRD_PARTY = {"/api/docs": ("serious", "critical")}
"""Impacts that are checked on pages whose structure is another project's: the reference is Swagger UI's."""


@pytest.fixture(scope="module")
def installation(new_shared_server: NewServer) -> Iterator[tuple[Person, Pages]]:
    ana, pages = furnish(new_shared_server().start())
    yield ana, pages
    ana.close()


@pytest.fixture(scope="module")
def checked() -> set[str]:
    """The HTML of the menus and dialogs that were checked on a page already."""
    return set()


def check(page: Page, path: str, url: str, checked: set[str]) -> list[str]:
    page.goto(url + path)
    if path in THIRD_PARTY:
        expect(page.locator("[id$='post_message']")).to_be_visible()
    problems = list_violations(page, impacts=THIRD_PARTY.get(path, ())) + list_overlay_violations(page, checked)
    for width in (360, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        if page.evaluate(SCROLLS_SIDEWAYS):
            problems.append(f"scrolls sideways at {width}")
    return [f"{path} {problem}" for problem in problems]


@pytest.mark.parametrize("half", [0, 1])
def test_pages_are_accessible_and_fit_phones(
    installation: tuple[Person, Pages], checked: set[str], new_page: NewPage, half: int
) -> None:
    ana, pages = installation
    page = new_page(ana, "/health")
    assert not [problem for path in pages.owner[half::2] for problem in check(page, path, ana.server.url, checked)]


def test_pages_for_everybody_are_accessible_and_fit_phones(
    installation: tuple[Person, Pages], checked: set[str], new_page: NewPage
) -> None:
    ana, pages = installation
    page = new_page(path="/health", url=ana.server.url)
    assert not [problem for path in pages.stranger for problem in check(page, path, ana.server.url, checked)]


def test_what_opens_while_people_type_and_click_is_accessible(
    installation: tuple[Person, Pages], new_page: NewPage
) -> None:
    ana, pages = installation
    page = wait_until_connected(new_page(ana, pages.room))
    problems: list[str] = []

    def check_state(selector: str) -> None:
        problems.extend(f"{selector} {violation}" for violation in list_violations(page, selector))

    page.keyboard.type("@b")
    expect(page.get_by_role("option").first).to_be_visible()
    check_state(".conversation-foot")
    page.fill("#content", "")
    page.press("#content", "Enter")
    page.locator(".message", has_text="staging").last.hover()
    page.locator("[data-open-menu]").click()
    check_state("[data-message-menu]")
    page.locator("[data-edit]").click()
    page.fill(".message-edit textarea", "")
    page.click(".message-edit >> text=Save")
    check_state("main")
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    expect(page.get_by_role("option").first).to_be_visible()
    check_state("[data-jump-dialog]")
    page.keyboard.press("Escape")
    page.locator("h1").click()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    check_state("dialog[open]")
    page.keyboard.press("Escape")
    page.evaluate("document.querySelector('[data-mark-all-dialog]').showModal()")
    check_state("[data-mark-all-dialog]")
    page.keyboard.press("Escape")
    page.context.set_offline(True)
    # A page that was not fetched in advance.
    page.evaluate("location.href = '/people?q=nobody'")
    expect(page.locator("[data-page-unavailable]")).to_be_visible()
    check_state("html")
    page.context.set_offline(False)

    page.goto(ana.server.url + "/direct")
    page.keyboard.type("bob")
    expect(page.get_by_role("option")).to_have_count(1)
    check_state(".person-picker")
    page.keyboard.press("Enter")
    check_state(".person-picker")
    phone = new_page(ana, pages.room, **PHONE)
    phone.get_by_role("button", name="Menu").tap()
    problems += list_violations(phone, ".sidebar")
    assert not problems
