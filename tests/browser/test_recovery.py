"""Two people talk, the server is killed in the middle, and everything is still there."""

import sqlite3

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import NewPage
from tests.browser.pages import bodies, numbers, say, wait_connected, wait_for_text, wait_sent
from tests.harness.people import Person, rendered_messages, room_path
from tests.harness.servers import Server

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("kind", ["general", "room"])
def test_both_pages_recover_when_the_server_is_killed_and_started_again(
    server: Server, ana: Person, bob: Person, new_page: NewPage, kind: str
) -> None:
    path = "/"
    if kind == "room":
        room = ana.create_room("Plans")
        ana.invite(room, bob)
        path = room_path(room)
    hers, his = (wait_connected(new_page(person, path)) for person in (ana, bob))
    for number in range(5):
        say(hers, f"ana {number}")
        say(his, f"bob {number}")

    server.kill()
    expect(hers.locator("[data-connection]")).to_have_attribute("data-state", "offline")
    for number in range(5, 10):
        say(hers, f"ana {number}")
        say(his, f"bob {number}")
    expect(hers.locator(".message-sending").first).to_be_visible()
    server.start()

    for page in (hers, his):
        wait_connected(page)
        wait_sent(page)
        for text in ("ana 9", "bob 9"):
            wait_for_text(page, text)
    stored = [str(content) for (content,) in server.rows("SELECT content FROM messages ORDER BY seq")]
    assert len(stored) == 20
    for name in ("ana", "bob"):
        assert [text for text in stored if text.startswith(name)] == [f"{name} {number}" for number in range(10)]
    assert numbers(hers) == numbers(his) == list(range(1, 21))
    assert bodies(hers) == bodies(his) == stored
    third = wait_connected(new_page(bob, path))
    third.locator("[data-timeline]").evaluate("view => { view.scrollTop = 0; }")
    expect(third.locator("#message-1")).to_be_attached()
    assert bodies(third) == stored
    assert [text for _, text in rendered_messages(ana.get(path).text)] == stored[-10:]


def test_what_is_unsent_survives_a_reload_and_is_sent_once(server: Server, ana: Person, new_page: NewPage) -> None:
    page = wait_connected(new_page(ana))
    page.context.set_offline(offline=True)
    say(page, "kept")
    expect(page.locator(".message-sending")).to_be_visible()
    page.context.set_offline(offline=False)
    page.reload()

    wait_connected(page)
    wait_for_text(page, "kept")
    wait_sent(page)
    assert bodies(page) == ["kept"]
    assert server.rows("SELECT count(*) FROM messages") == [(1,)]


def test_another_account_in_the_same_browser_does_not_send_what_is_unsent(
    server: Server, ana: Person, bob: Person, new_page: NewPage
) -> None:
    page = wait_connected(new_page(ana))
    page.context.set_offline(offline=True)
    say(page, "from ana alone")
    expect(page.locator(".message-sending")).to_be_visible()
    page.context.clear_cookies()
    page.context.add_cookies(
        [{"name": each.name, "value": each.value or "", "url": server.url} for each in bob.http.cookies]
    )
    page.context.set_offline(offline=False)

    expect(page.locator("[data-connection]")).to_have_attribute("data-state", "signed-out")
    other = page.context.new_page()
    other.goto(server.url)
    wait_connected(other)
    say(other, "from bob")
    wait_sent(other)
    assert server.rows("SELECT content FROM messages") == [("from bob",)]


def test_two_tabs_of_one_person_show_and_send_everything_once(server: Server, ana: Person, new_page: NewPage) -> None:
    one = wait_connected(new_page(ana))
    two = one.context.new_page()
    two.goto(server.url)
    wait_connected(two)
    say(one, "from one")
    wait_for_text(two, "from one")
    one.context.set_offline(offline=True)
    say(one, "offline one")
    say(two, "offline two")
    one.context.set_offline(offline=False)

    for page in (one, two):
        wait_connected(page)
        for text in ("offline one", "offline two"):
            wait_for_text(page, text)
        wait_sent(page)
    assert bodies(one) == bodies(two) == ["from one", "offline one", "offline two"]


def test_a_message_that_will_never_pass_holds_up_no_other_and_can_be_discarded(
    ana: Person, bob: Person, new_page: NewPage
) -> None:
    room = ana.create_room("Old")
    ana.invite(room, bob)
    page = wait_connected(new_page(bob, room_path(room)))
    ana.post(f"{room_path(room)}/archive", f"{room_path(room)}/settings")
    say(page, "too late")

    expect(page.locator(".message-failed")).to_contain_text("archived")
    page.click("[data-retry]")
    expect(page.locator(".message-failed")).to_contain_text("archived")
    page.click("[data-discard]")
    expect(page.locator(".message")).to_have_count(0)


def test_pages_say_that_messages_wait_for_the_database_and_show_them_saved_when_it_is_back(
    server: Server, ana: Person, bob: Person, new_page: NewPage
) -> None:
    hers, his = (wait_connected(new_page(person)) for person in (ana, bob))
    say(hers, "before")
    wait_for_text(his, "before")
    other = sqlite3.connect(server.data_dir / "chatapp.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    say(hers, "in between")
    for page in (hers, his):
        waiting = page.locator(".message[data-pending]")
        expect(waiting).to_contain_text("Waiting to be saved")
        expect(page.locator("[data-outage-notice]")).to_contain_text("1 waiting")
    say(his, "me too")
    expect(hers.locator(".message[data-pending]")).to_have_count(2)
    other.execute("ROLLBACK")
    other.close()

    for page in (hers, his):
        expect(page.locator(".message[data-pending]")).to_have_count(0)
        expect(page.locator("[data-outage-notice]")).to_be_hidden()
        assert bodies(page) == ["before", "in between", "me too"]
        assert numbers(page) == [1, 2, 3]


def test_what_others_change_changes_on_the_page(ana: Person, bob: Person, new_page: NewPage) -> None:
    page = wait_connected(new_page(bob))
    socket = ana.connect()
    for text in ("first", "second"):
        socket.post(text)
    where = {"conversation": "general", "seq": 1}
    socket.call("edit_message", where | {"content": "first, edited"})
    socket.call("react", where | {"reaction": "🎉", "on": True})
    socket.call("delete_message", {"conversation": "general", "seq": 2})
    expect(page.locator("#message-2")).to_contain_text("deleted")
    expect(page.locator("#message-1 .reactions")).to_contain_text("🎉 1")
    assert bodies(page)[0] == "first, edited"
    page.reload()
    assert bodies(page) == ["first, edited", "This message was deleted."]


def test_a_person_is_told_of_what_is_unsent_before_the_tab_closes(ana: Person, new_page: NewPage) -> None:
    page = wait_connected(new_page(ana))
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    page.context.set_offline(offline=True)
    say(page, "not yet")
    expect(page.locator(".message-sending")).to_be_visible()
    page.close(run_before_unload=True)
    page.wait_for_timeout(300)
    assert asked == ["beforeunload"]
    page.context.set_offline(offline=False)
    wait_connected(page)
    wait_sent(page)
