"""What the service worker shows while the server cannot be reached."""

import pytest
from playwright.sync_api import Page, expect

from tests.harness.pages import NewPage, send_message, wait_for_message, wait_until_connected, wait_until_stored
from tests.harness.people import Person, room_path
from tests.harness.servers import Server

pytestmark = pytest.mark.browser


def open_with_service_worker(new_page: NewPage, person: Person, path: str = "/") -> Page:
    """Open a page, and wait until the service worker handles its requests."""
    page = wait_until_connected(new_page(person, path, service_workers="allow"))
    page.evaluate(
        "navigator.serviceWorker.ready.then(() => navigator.serviceWorker.controller || new Promise("
        "(resolve) => { navigator.serviceWorker.oncontrollerchange = resolve; })).then(() => true)"
    )
    return page


def test_conversations_that_were_read_are_shown_while_the_server_is_down(
    server: Server, ana: Person, new_page: NewPage
) -> None:
    room = ana.create_room("Plans")
    page = open_with_service_worker(new_page, ana)
    send_message(page, "Lunch?")
    wait_until_stored(page)
    page.goto(f"{server.url}{room_path(room)}")
    wait_until_connected(page)
    page.get_by_role("link", name="General").click()
    wait_for_message(page, "Lunch?")

    server.kill()
    page.goto(f"{server.url}/")
    wait_for_message(page, "Lunch?")
    expect(page.locator("[data-connection]")).to_have_attribute("data-state", "offline")
    send_message(page, "Written without a connection")
    expect(page.locator(".message-sending")).to_be_visible()

    page.once("dialog", lambda dialog: dialog.accept())
    page.goto(f"{server.url}/people")
    expect(page.get_by_role("heading", name="No connection")).to_be_visible()
    kept = page.locator("[data-kept-list] a")
    expect(kept).to_have_text(["General", "Plans"])
    kept.nth(0).click()
    expect(page.locator(".message-sending")).to_be_visible()

    server.start()
    wait_until_connected(page)
    wait_until_stored(page)
    assert server.rows("SELECT content FROM messages ORDER BY seq") == [("Lunch?",), ("Written without a connection",)]


def test_nothing_that_a_person_has_read_is_left_after_signing_out(
    server: Server, ana: Person, new_page: NewPage
) -> None:
    page = open_with_service_worker(new_page, ana)
    page.reload()
    wait_until_connected(page)
    assert page.evaluate("caches.open('chatapp-pages').then((cache) => cache.keys()).then((keys) => keys.length)") == 1
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()

    server.kill()
    page.goto(f"{server.url}/")
    expect(page.get_by_role("heading", name="No connection")).to_be_visible()
    expect(page.locator("[data-kept]")).to_be_hidden()


def test_browsers_can_install_chatapp(server: Server, ana: Person) -> None:
    manifest = ana.get("/manifest.webmanifest")
    assert manifest.headers["Content-Type"].startswith("application/manifest+json")
    content = manifest.json()
    assert (content["start_url"], content["display"]) == ("/", "standalone")
    for icon in content["icons"]:
        response = ana.get(icon["src"])
        assert (response.status_code, response.headers["Content-Type"]) == (200, icon["type"])
