"""No message is lost, doubled or reordered on the pages when the server, the network or the database fails."""

import sqlite3

import pytest
from playwright.sync_api import Dialog, expect

from tests.harness.html import rendered_messages
from tests.harness.pages import (
    NewPage,
    message_seqs,
    message_texts,
    send_message,
    wait_for_message,
    wait_until_connected,
    wait_until_stored,
)
from tests.harness.people import Person, room_path
from tests.harness.servers import Server

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("kind", ["general", "room"])
def test_pages_recover_when_the_server_is_killed_and_restarted(
    server: Server, ana: Person, bob: Person, new_page: NewPage, kind: str
) -> None:
    path = "/"
    if kind == "room":
        room = ana.create_room("Plans")
        ana.invite(room, bob)
        path = room_path(room)
    ana_page, bob_page = (wait_until_connected(new_page(person, path)) for person in (ana, bob))
    for number in range(5):
        send_message(ana_page, f"ana {number}")
        send_message(bob_page, f"bob {number}")

    server.kill()
    expect(ana_page.locator("[data-connection]")).to_have_attribute("data-state", "offline")
    for number in range(5, 10):
        send_message(ana_page, f"ana {number}")
        send_message(bob_page, f"bob {number}")
    expect(ana_page.locator(".message-sending").first).to_be_visible()
    server.start()

    for page in (ana_page, bob_page):
        wait_until_connected(page)
        wait_until_stored(page)
        for text in ("ana 9", "bob 9"):
            wait_for_message(page, text)
    stored = [str(content) for (content,) in server.rows("SELECT content FROM messages ORDER BY seq")]
    assert len(stored) == 20
    for name in ("ana", "bob"):
        assert [text for text in stored if text.startswith(name)] == [f"{name} {number}" for number in range(10)]
    assert message_seqs(ana_page) == message_seqs(bob_page) == list(range(1, 21))
    assert message_texts(ana_page) == message_texts(bob_page) == stored
    third = wait_until_connected(new_page(bob, path))
    third.locator("[data-timeline]").evaluate("view => { view.scrollTop = 0; }")
    expect(third.locator("#message-1")).to_be_attached()
    assert message_texts(third) == stored
    assert [text for _, text in rendered_messages(ana.get(path).text)] == stored[-10:]


def test_an_unsent_message_survives_a_reload_and_is_sent_once(server: Server, ana: Person, new_page: NewPage) -> None:
    page = wait_until_connected(new_page(ana))
    page.context.set_offline(offline=True)
    send_message(page, "kept")
    expect(page.locator(".message-sending")).to_be_visible()
    page.context.set_offline(offline=False)
    page.reload()

    wait_until_connected(page)
    wait_for_message(page, "kept")
    wait_until_stored(page)
    assert message_texts(page) == ["kept"]
    assert server.rows("SELECT count(*) FROM messages") == [(1,)]


def test_another_account_in_the_same_browser_does_not_send_the_unsent_messages(
    server: Server, ana: Person, bob: Person, new_page: NewPage
) -> None:
    page = wait_until_connected(new_page(ana))
    page.context.set_offline(offline=True)
    send_message(page, "from ana")
    expect(page.locator(".message-sending")).to_be_visible()
    page.context.clear_cookies()
    page.context.add_cookies(
        [{"name": cookie.name, "value": cookie.value or "", "url": server.url} for cookie in bob.http.cookies]
    )
    page.context.set_offline(offline=False)

    expect(page.locator("[data-connection]")).to_have_attribute("data-state", "signed-out")
    other = page.context.new_page()
    other.goto(server.url)
    wait_until_connected(other)
    send_message(other, "from bob")
    wait_until_stored(other)
    assert server.rows("SELECT content FROM messages") == [("from bob",)]


def test_two_tabs_of_one_person_show_and_send_each_message_once(server: Server, ana: Person, new_page: NewPage) -> None:
    one = wait_until_connected(new_page(ana))
    two = one.context.new_page()
    two.goto(server.url)
    wait_until_connected(two)
    send_message(one, "from one")
    wait_for_message(two, "from one")
    one.context.set_offline(offline=True)
    send_message(one, "offline one")
    send_message(two, "offline two")
    one.context.set_offline(offline=False)

    for page in (one, two):
        wait_until_connected(page)
        for text in ("offline one", "offline two"):
            wait_for_message(page, text)
        wait_until_stored(page)
    assert message_texts(one) == message_texts(two) == ["from one", "offline one", "offline two"]


def test_a_rejected_message_can_be_retried_and_discarded(ana: Person, bob: Person, new_page: NewPage) -> None:
    room = ana.create_room("Old")
    ana.invite(room, bob)
    page = wait_until_connected(new_page(bob, room_path(room)))
    # The page is not told that its message box has to close.
    page.route("**/sidebar*", lambda route: route.abort())
    ana.post(f"{room_path(room)}/archive", f"{room_path(room)}/settings")
    send_message(page, "too late")

    expect(page.locator(".message-failed")).to_contain_text("archived")
    page.click("[data-retry]")
    expect(page.locator(".message-failed")).to_contain_text("archived")
    page.click("[data-discard]")
    expect(page.locator(".message")).to_have_count(0)


def test_pages_show_pending_messages_during_an_outage_of_the_database_and_store_them_after_it(
    server: Server, ana: Person, bob: Person, new_page: NewPage
) -> None:
    ana_page, bob_page = (wait_until_connected(new_page(person)) for person in (ana, bob))
    send_message(ana_page, "before")
    wait_for_message(bob_page, "before")
    lock = sqlite3.connect(server.data_dir / "chatapp.sqlite3", isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")

    send_message(ana_page, "in between")
    for page in (ana_page, bob_page):
        pending = page.locator(".message[data-pending]")
        expect(pending).to_contain_text("Waiting to be saved")
        expect(page.locator("[data-outage-notice]")).to_contain_text("1 waiting")
    send_message(bob_page, "me too")
    expect(ana_page.locator(".message[data-pending]")).to_have_count(2)
    lock.execute("ROLLBACK")
    lock.close()

    for page in (ana_page, bob_page):
        expect(page.locator(".message[data-pending]")).to_have_count(0)
        expect(page.locator("[data-outage-notice]")).to_be_hidden()
        assert message_texts(page) == ["before", "in between", "me too"]
        assert message_seqs(page) == [1, 2, 3]


def test_changes_by_others_are_shown(ana: Person, bob: Person, new_page: NewPage) -> None:
    page = wait_until_connected(new_page(bob))
    socket = ana.connect()
    for text in ("first", "second"):
        socket.post(text)
    reference = {"conversation": "general", "seq": 1}
    socket.call("edit_message", reference | {"content": "first, edited"})
    socket.call("react", reference | {"reaction": "🎉", "on": True})
    socket.call("delete_message", {"conversation": "general", "seq": 2})
    expect(page.locator("#message-2")).to_contain_text("deleted")
    expect(page.locator("#message-1 .reactions")).to_contain_text("🎉 1")
    assert message_texts(page)[0] == "first, edited"
    page.reload()
    assert message_texts(page) == ["first, edited", "This message was deleted."]


def test_closing_a_tab_with_unsent_messages_asks_for_a_confirmation(ana: Person, new_page: NewPage) -> None:
    page = wait_until_connected(new_page(ana))
    dialogs: list[str] = []

    def dismiss(dialog: Dialog) -> None:
        dialogs.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", dismiss)
    page.context.set_offline(offline=True)
    send_message(page, "not yet")
    expect(page.locator(".message-sending")).to_be_visible()
    page.close(run_before_unload=True)
    page.wait_for_timeout(300)
    assert dialogs == ["beforeunload"]
    page.context.set_offline(offline=False)
    wait_until_connected(page)
    wait_until_stored(page)
