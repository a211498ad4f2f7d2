"""Searching messages: as one types, by keyboard, on a phone and without JavaScript."""

import re
from contextlib import suppress

import pytest
from playwright.sync_api import Error, Page, Route, expect

from tests.harness.pages import PHONE, NewPage, wait_until_connected
from tests.harness.people import NewPerson, Person, message_payload, room_path
from tests.harness.servers import NewServer
from tests.harness.waiting import eventually

pytestmark = pytest.mark.browser


def post(person: Person, text: str, conversation: str = "general") -> None:
    socket = person.connect()
    socket.post(text, conversation)
    socket.close()


def hits(page: Page) -> list[str]:
    return [text.strip() for text in page.locator(".search-hit").all_inner_texts()]


def test_results_follow_what_is_typed_and_open_where_they_are(ana: Person, bob: Person, new_page: NewPage) -> None:
    room = ana.create_room("Design")
    for text in ("The blue sketch", "The red sketch", "Nothing else", "会議は東京で"):
        post(ana, text, room)
    post(bob, "A sketch of mine")
    page = wait_until_connected(new_page(ana))
    page.evaluate("window.isMarked = true")
    page.keyboard.press("Control+Shift+f")
    field = page.get_by_label("Words, phrases and filters")
    expect(field).to_be_focused()

    page.keyboard.type("sket")
    expect(page.locator(".search-hit mark")).to_have_text(["sket", "sket", "sket"])
    expect(page.locator("[data-search-count]")).to_have_text("3 messages")
    assert hits(page) == ["A sketch of mine", "The red sketch", "The blue sketch"]
    page.keyboard.type("ch -red in:design")
    expect(page.locator(".search-hit")).to_have_text(["The blue sketch"])
    expect(page).to_have_url(re.compile("q=sketch"))
    field.fill("東京")
    expect(page.locator(".search-hit mark")).to_have_text(["東京"])
    field.fill('"[(from: <b>')
    expect(page.locator("[data-search-count]")).to_have_text("No messages found.")

    field.fill("red")
    expect(page.locator(".search-hit")).to_have_text(["The red sketch"])
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_have_attribute("data-conversation", room)
    expect(page.locator("#message-2")).to_be_in_viewport()
    assert page.evaluate("window.isMarked") is True
    page.go_back()
    expect(page.get_by_label("Words, phrases and filters")).to_have_value("red")
    expect(page.locator(".search-hit")).to_have_text(["The red sketch"])
    expect(page.locator(".search-hit")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_label("Words, phrases and filters")).to_be_focused()


def test_slow_results_do_not_replace_newer_ones(ana: Person, new_page: NewPage) -> None:
    for text in ("one apple", "one pear"):
        post(ana, text)
    page = wait_until_connected(new_page(ana, path="/search"))
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route(re.compile(r"results\?q=one$"), hold)
    field = page.get_by_label("Words, phrases and filters")
    with page.expect_request(re.compile(r"results\?q=one$")):
        field.fill("one")
    field.fill("one pear")
    expect(page.locator(".search-hit")).to_have_text(["one pear"])
    expect(page.locator("[data-search-count]")).to_have_text("1 message")
    with suppress(Error):  # The page has cancelled the request.
        held[0].continue_()
    with page.expect_request(re.compile("q=pear")):
        field.fill("pear")
    expect(page.locator(".search-hit mark")).to_have_text(["pear"])


def test_results_that_arrive_while_one_types_do_not_cancel_the_search_of_what_is_typed(
    ana: Person, new_page: NewPage
) -> None:
    post(ana, "one pear")
    page = wait_until_connected(new_page(ana, path="/search"))
    # The results arrive right after an input, before the search for it begins.
    page.evaluate(
        """() => {
          const request = window.fetch;
          window.fetch = async (...options) => {
            const response = await request(...options);
            const field = document.querySelector("[name=q]");
            if (field.value === "peach") {
              field.value = "pear";
              field.dispatchEvent(new Event("input", { bubbles: true }));
            }
            return response;
          };
        }"""
    )
    page.get_by_label("Words, phrases and filters").fill("peach")
    expect(page.locator(".search-hit mark")).to_have_text(["pear"])


def test_a_refused_search_shows_the_reason_of_the_server(
    new_server: NewServer, new_person: NewPerson, new_page: NewPage
) -> None:
    ana = new_person(new_server(CHATAPP_SEARCHES_PER_MINUTE="1").start(), "ana")
    ana.get("/search?q=apple")
    page = wait_until_connected(new_page(ana, path="/search"))
    field, status = page.get_by_label("Words, phrases and filters"), page.locator("[data-search-count]")
    field.fill("pear")

    def is_refused() -> bool:
        field.press("Enter")
        return status.inner_text() == "You have searched too often in the last minute. Try again later."

    # A minute may begin between two searches.
    eventually(is_refused)


def test_the_position_in_long_results_is_restored(ana: Person, new_page: NewPage) -> None:
    for number in range(20):
        post(ana, f"apple {number}")
    page = wait_until_connected(new_page(ana, path="/search?q=apple"))
    main = page.locator("main")
    page.locator(".search-hit").nth(12).click()
    expect(main).to_have_attribute("data-conversation", "general")
    page.go_back()
    expect(page.locator(".search-hit").nth(12)).to_be_focused()
    expect(page.locator(".search-hit").nth(12)).to_be_in_viewport()


def test_the_messages_around_a_hit_are_shown_on_demand(ana: Person, new_page: NewPage) -> None:
    socket = ana.connect()
    for text in ("first", "second", "a red apple", "fourth ||of July||", "fifth"):
        root = socket.post(text)
    for text in ("reply one", "a green apple", "reply three"):
        assert socket.call("send_message", message_payload(text) | {"thread": root["seq"]})["ok"]
    page = wait_until_connected(new_page(ana, path="/search?q=apple"))
    expect(page.locator(".search-hit")).to_have_text(["a green apple", "a red apple"])
    for button in page.get_by_role("button", name="Show context").all()[::-1]:
        button.click()
    context = page.locator(".search-context .listed-text")
    expect(context).to_have_text(
        ["fifth", "reply one", "a green apple", "reply three", "second", "a red apple", re.compile("^fourth")]
    )
    expect(page.get_by_text("July")).to_have_count(0)
    page.get_by_role("button", name="Hide context").first.click()
    expect(context).to_have_count(3)


def test_a_reply_that_was_found_is_marked_in_its_thread(ana: Person, new_page: NewPage) -> None:
    socket = ana.connect()
    root = socket.post("fruit")
    for text in ("a pear", "an apple", "a plum"):
        assert socket.call("send_message", message_payload(text) | {"thread": root["seq"]})["ok"]
    page = wait_until_connected(new_page(ana, path="/search?q=apple"))
    page.locator(".search-hit").click()
    expect(page.locator("main")).to_have_attribute("data-thread", "1")
    expect(page.locator(".message:target .message-body")).to_have_text("an apple")
    expect(page.get_by_text("a plum")).to_be_visible()


def test_nothing_found_shows_hints(ana: Person, new_page: NewPage) -> None:
    page = wait_until_connected(new_page(ana, path="/search?q=unicorn has:link"))
    expect(page.locator("[data-search-count]")).to_have_text("No messages found.")
    expect(page.get_by_text("Remove a filter above.")).to_be_visible()


def test_results_follow_what_others_post_edit_and_delete(ana: Person, new_page: NewPage) -> None:
    socket = ana.connect()
    socket.join()
    first, second = socket.send("first apple"), socket.send("second apple")
    page = wait_until_connected(new_page(ana, path="/search?q=apple"))
    expect(page.locator(".search-hit")).to_have_text(["second apple", "first apple"])
    socket.call("edit_message", {"conversation": "general", "seq": first["message"]["seq"], "content": "first pear"})
    socket.call("delete_message", {"conversation": "general", "seq": second["message"]["seq"]})
    page.get_by_label("Words, phrases and filters").press("Enter")
    expect(page.locator("[data-search-count]")).to_have_text("No messages found.")
    socket.post("third apple")
    page.get_by_label("Words, phrases and filters").fill("third app")
    expect(page.locator(".search-hit")).to_have_text(["third apple"])
    expect(page.locator("[data-search-count]")).to_have_text("1 message")


def test_filters_are_added_with_a_click_and_ctrl_k_offers_the_search(ana: Person, new_page: NewPage) -> None:
    post(ana, "plain words")
    post(ana, "words with https://example.com")
    page = wait_until_connected(new_page(ana))
    page.keyboard.press("Control+k")
    page.keyboard.type("words")
    page.get_by_role("option", name="Search messages for “words”").click()
    expect(page.locator(".search-hit")).to_have_count(2)
    page.get_by_role("link", name="has:link", exact=True).click()
    expect(page.locator(".search-hit")).to_have_text(["words with https://example.com"])
    expect(page.get_by_label("Words, phrases and filters")).to_have_value("words has:link ")
    page.get_by_role("link", name="Remove has:link").click()
    expect(page.locator(".search-hit")).to_have_count(2)
    expect(page.get_by_label("Words, phrases and filters")).to_have_value("words ")


def test_filters_are_completed_while_typing(ana: Person, bob: Person, new_page: NewPage) -> None:
    design, secret = ana.create_room("Design: Team 2"), bob.create_room("Design secrets")
    ana.invite(design, bob)
    post(ana, "an apple of Ana", design)
    post(bob, "an apple of Bob", design)
    post(bob, "a hidden apple", secret)
    post(bob, "an apple for all")
    page = wait_until_connected(new_page(ana, path="/search"))
    field, options = page.get_by_label("Words, phrases and filters"), page.get_by_role("option")
    field.focus()
    page.keyboard.type("apple fr")
    expect(options).to_have_text([re.compile("from:.*Messages from a person")])
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(field).to_have_value("apple from:")
    # The address has what is typed, and is changed with the results: the beginning of a value would find nothing.
    expect(page).to_have_url(re.compile(r"q=apple\+from%3A$"))
    expect(page.locator(".search-hit")).to_have_count(3)
    with page.expect_request(re.compile(r"results\?q=apple\+$")):
        page.keyboard.type("bo")
    expect(options).to_have_text([re.compile("Bob.*@bob")])
    expect(page).to_have_url(re.compile(r"q=apple\+from%3Abo$"))
    expect(page.locator(".search-hit")).to_have_count(3)
    page.keyboard.press("Enter")
    expect(field).to_have_value("apple from:bob ")
    expect(page.locator(".search-hit")).to_have_text(["an apple for all", "an apple of Bob"])
    page.keyboard.type("in:des")
    expect(options).to_have_text([re.compile("Design: Team 2")])
    page.keyboard.press("Tab")
    expect(field).to_have_value("apple from:bob in:design:-team-2 ")
    expect(page.locator(".search-hit")).to_have_text(["an apple of Bob"])
    expect(page.locator(".search-filters .chip")).to_have_text(["from:bob", "in:design:-team-2"])

    # A word that is the name of a filter, too.
    field.fill("with")
    expect(page.locator("[data-search-count]")).to_have_text("No messages found.")
    expect(options).to_have_count(0)
    field.fill("-apple")
    expect(page.get_by_text("Add a word or a filter to search for.")).to_be_visible()
    field.fill("apple before:")
    page.get_by_role("option", name="Yesterday").click()
    expect(field).to_have_value("apple before:yesterday ")
    expect(page.locator("[data-search-count]")).to_have_text("No messages found.")


def test_filters_are_chosen_with_a_finger(ana: Person, new_page: NewPage) -> None:
    post(ana, "words of today")
    phone = wait_until_connected(new_page(ana, path="/search", **PHONE))
    field = phone.get_by_label("Words, phrases and filters")
    # Not “Yesterday”: midnight may pass.
    field.fill("after:")
    phone.get_by_role("option", name="A week ago").tap()
    expect(field).to_have_value(re.compile(r"^after:\d{4}-\d\d-\d\d $"))
    expect(phone.locator(".search-hit")).to_have_text(["words of today"])
    assert phone.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_menu_of_a_conversation_leads_to_the_search_in_it(ana: Person, new_page: NewPage) -> None:
    room = ana.create_room("Design Team")
    post(ana, "an apple", room)
    post(ana, "another apple")
    page = wait_until_connected(new_page(ana, path=room_path(room)))
    page.get_by_role("button", name="More", exact=True).click()
    page.get_by_role("link", name="Search in this conversation").click()
    expect(page.get_by_label("Words, phrases and filters")).to_have_value("in:design-team ")
    page.keyboard.type("apple")
    expect(page.locator(".search-hit mark")).to_have_text(["apple"])
    expect(page.locator(".search-hit")).to_have_text(["an apple"])


def test_search_works_on_a_phone_and_from_right_to_left(ana: Person, new_page: NewPage) -> None:
    post(ana, "שלום עולם")
    phone = wait_until_connected(new_page(ana, path="/search", **PHONE))
    phone.get_by_label("Words, phrases and filters").fill("שלום")
    expect(phone.locator(".search-hit mark")).to_have_text(["שלום"])
    assert phone.locator(".listed-text").first.evaluate("element => getComputedStyle(element).direction") == "rtl"
    assert phone.evaluate("document.documentElement.scrollWidth <= innerWidth")
    phone.get_by_label("Words, phrases and filters").fill("עולם from:me during:this-week has:link")
    expect(phone.locator(".search-filters .chip")).to_have_text(["from:me", "during:this-week", "has:link"])
    phone.get_by_role("link", name="Remove has:link").tap()
    expect(phone.locator(".search-hit mark")).to_have_text(["עולם"])
    assert phone.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_search_works_without_javascript(ana: Person, new_page: NewPage) -> None:
    for number in range(25):
        post(ana, f"apple {number}")
    page = new_page(ana, path="/search", java_script_enabled=False)
    page.get_by_role("searchbox").fill("apple")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.locator(".search-hit")).to_have_count(20)
    page.get_by_role("link", name="More results").click()
    expect(page.locator(".search-hit")).to_have_text([f"apple {number}" for number in (4, 3, 2, 1, 0)])
    page.get_by_role("link", name="Best first").click()
    expect(page.locator(".search-hit")).to_have_count(20)


def test_a_removed_member_finds_nothing_from_that_moment(ana: Person, bob: Person, new_page: NewPage) -> None:
    room = ana.create_room("Secret")
    ana.invite(room, bob)
    post(ana, "a hidden apple", room)
    page = wait_until_connected(new_page(bob, path="/search?q=apple"))
    expect(page.locator(".search-hit")).to_have_count(1)
    ana.remove(room, bob)
    page.get_by_label("Words, phrases and filters").press("Enter")
    expect(page.locator("[data-search-count]")).to_have_text("No messages found.")
    assert bob.get("/search/count?q=apple").json() == {"count": 0, "has_more": False}
    assert room_path(room) not in page.content()
