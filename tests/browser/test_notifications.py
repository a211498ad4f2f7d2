"""Desktop notifications of a browser in which a person has switched them on."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from tests.harness.pages import NewPage, wait_for_message, wait_until_connected
from tests.harness.people import Person, message_payload
from tests.harness.waiting import eventually

pytestmark = pytest.mark.browser

RECORD = """
window.shown = [];
window.Notification = class extends EventTarget {
  static permission = "default";
  static async requestPermission() { return (Notification.permission = "granted"); }
  constructor(title, options) { super(); this.close = () => {}; shown.push(Object.assign(this, options, { title })); }
};
window.waiting = null;
const setTimer = window.setTimeout;
window.setTimeout = (call, ms, ...rest) => waiting && ms === 1500 ? waiting.push(call) : setTimer(call, ms, ...rest);
"""
"""Takes the place of the desktop, which headless browsers do not have, and can hold the time until a notification."""


SWITCHED_ON = ["chatapp", "Notifications are switched on."]


def shown(page: Page) -> list[list[str]]:
    """Return title and text of the notifications that the page has shown."""
    result: list[list[str]] = page.evaluate("shown.map(({ title, body }) => [title, body])")
    return result


def test_direct_messages_and_mentions_are_shown_unless_they_are_read_on_some_device(
    ana: Person, bob: Person, new_page: NewPage
) -> None:
    design = ana.create_room("Design")
    ana.invite(design, bob)
    direct = ana.open_direct(bob)
    socket = ana.connect()
    page = new_page(bob, "/settings")
    page.add_init_script(RECORD)
    page.reload()
    wait_until_connected(page)
    badge = page.locator(f"[data-entry='{direct}'] [data-badge]")
    switch = page.get_by_label("Show desktop notifications")

    socket.post("before they are switched on", conversation=direct)
    expect(badge).to_have_text(re.compile("^1"))
    switch.check()
    expect(switch).to_be_checked()
    socket.post("Hello, everybody", conversation=design)
    socket.post("Hi, *Bob*", conversation=direct)
    eventually(lambda: shown(page) == [SWITCHED_ON, ["Ana", "Hi, Bob"]], "the direct message is shown")

    # The time until notifications ends when another device has marked the message as read.
    phone = wait_until_connected(new_page(bob, "/direct/ana"))
    expect(badge).to_be_hidden()
    page.evaluate("waiting = []")
    socket.post("You see this one", conversation=direct)
    wait_for_message(phone, "You see this one")
    socket.post("@bob, what do you think?", conversation=design)
    mentioned = page.locator(f"[data-entry='{design}'] [data-badge]")
    expect(mentioned).to_have_class(re.compile("is-highlighted"))
    expect(badge).to_be_hidden()
    page.evaluate("waiting.splice(0).forEach((call) => call())")
    eventually(lambda: len(shown(page)) > 2, "the mention is shown")
    assert shown(page)[2:] == [["Ana in Design", "@bob, what do you think?"]]

    page.evaluate("shown[2].dispatchEvent(new Event('click'))")
    expect(page.locator("main")).to_have_attribute("data-conversation", design)


def test_the_settings_of_notifications_are_kept_in_the_browser(ana: Person, new_page: NewPage) -> None:
    page = new_page(ana, "/settings", permissions=["notifications"])
    page.get_by_label("From").fill("22:00")
    page.get_by_label("until").fill("07:00")
    page.get_by_label("Play a sound").check()
    page.reload()
    expect(page.get_by_label("From")).to_have_value("22:00")
    expect(page.get_by_label("until")).to_have_value("07:00")
    expect(page.get_by_label("Play a sound")).to_be_checked()
    expect(page.get_by_label("Show desktop notifications")).not_to_be_checked()


ON_A_PHONE = """
window.shown = [];
window.Notification = class {
  static permission = "granted";
  static requestPermission = async () => "granted";
  constructor() { throw new TypeError("Illegal constructor. Use ServiceWorkerRegistration.showNotification()"); }
};
ServiceWorkerRegistration.prototype.showNotification = async (title, options) => shown.push({ title, ...options });
"""


def test_the_service_worker_shows_notifications_where_pages_may_not(
    ana: Person, bob: Person, new_page: NewPage
) -> None:
    direct = ana.open_direct(bob)
    page = new_page(bob, "/settings", service_workers="allow")
    page.add_init_script(ON_A_PHONE)
    page.reload()
    wait_until_connected(page)
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    page.get_by_label("Show desktop notifications").check()
    eventually(lambda: shown(page) == [SWITCHED_ON], "the first notification")
    ana.connect().post("Hi", conversation=direct)
    eventually(lambda: shown(page)[1:] == [["Ana", "Hi"]], "the direct message is shown")

    # The service worker reports the click.
    page.evaluate(
        "navigator.serviceWorker.dispatchEvent(new MessageEvent('message', { data: { open: shown[1].data } }))"
    )
    expect(page.locator("main")).to_have_attribute("data-conversation", direct)


def test_a_scheduled_message_that_was_not_sent_is_shown_as_a_notification(
    ana: Person, bob: Person, new_page: NewPage
) -> None:
    room = ana.create_room("Design")
    ana.invite(room, bob)
    page = new_page(bob, "/settings")
    page.add_init_script(RECORD)
    page.reload()
    wait_until_connected(page)
    page.get_by_label("Show desktop notifications").check()
    eventually(lambda: shown(page) == [SWITCHED_ON], "notifications are switched on")
    due_at = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    assert bob.connect().call("schedule_message", message_payload("late", room) | {"due_at": due_at})["ok"]
    ana.remove(room, bob)
    eventually(lambda: len(shown(page)) == 2, "the notification is shown")
    assert shown(page)[1] == [
        "A scheduled message was not sent",
        "This conversation does not exist, or you are not a member.",
    ]
