"""The pages, as somebody uses them."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import NewPage
from tests.browser.pages import bodies, numbers, say, wait_connected, wait_for_text, wait_sent
from tests.harness.people import PASSWORD, Person, room_path
from tests.harness.servers import Server

pytestmark = pytest.mark.browser


def test_from_the_first_visit_to_an_invited_person(server: Server, new_page: NewPage) -> None:
    page = new_page(url=server.url)
    expect(page).to_have_url(re.compile("/setup$"))
    page.fill("#username", "ana")
    page.fill("#name", "Ana Lopes")
    page.fill("#password", PASSWORD)
    page.click("main button[type=submit]")
    wait_connected(page)
    page.click("text=People")
    link = page.locator("input[readonly]").input_value()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.click("[data-copy]")
    assert page.evaluate("navigator.clipboard.readText()") == link

    other = new_page(url=link, path="")
    other.fill("#username", "bob")
    other.fill("#password", PASSWORD)
    other.click("main button[type=submit]")
    wait_connected(other)
    page.goto(server.url)
    wait_connected(page)
    say(other, "hello")
    wait_for_text(page, "hello")
    other.click("[aria-label='Sign out']")
    expect(other).to_have_url(re.compile("/sign-in"))


def test_rooms_by_clicking(ana: Person, bob: Person, new_page: NewPage) -> None:
    hers, his = new_page(ana, "/rooms/new"), wait_connected(new_page(bob))
    hers.fill("#name", "Design")
    hers.check("input[value=private]")
    hers.click("main button[type=submit]")
    wait_connected(hers)
    room = hers.url
    hers.goto(room + "/settings")
    hers.fill("#username", "bob")
    hers.click("text=Add")
    expect(his.locator(".sidebar-link", has_text="Design")).to_be_visible()
    his.click(".sidebar-link:has-text('Design')")
    wait_connected(his)
    say(his, "here I am")
    wait_sent(his)
    hers.click("[aria-label='Remove Bob']")
    expect(his.locator("[data-removed-notice]")).to_be_visible()
    expect(his.locator("#content")).to_be_disabled()
    expect(his.locator(".sidebar-link", has_text="Design")).to_have_count(0)


def test_the_composer(ana: Person, new_page: NewPage) -> None:
    page = wait_connected(new_page(ana))
    low = page.locator("#content").bounding_box()
    page.locator("#content").press_sequentially("one")
    for _ in range(4):
        page.press("#content", "Shift+Enter")
    page.locator("#content").press_sequentially("two")
    high = page.locator("#content").bounding_box()
    assert low is not None
    assert high is not None
    assert high["height"] > low["height"] + 40
    page.press("#content", "Enter")
    wait_sent(page)
    assert bodies(page) == ["one\n\n\n\ntwo"]

    say(page, "   ")
    expect(page.locator("#composer-error")).to_be_visible()
    page.fill("#content", "x" * 10_001)
    page.press("#content", "Enter")
    expect(page.locator("#composer-error")).to_contain_text(re.compile("10,?000"))
    expect(page.locator("#content")).to_have_value("x" * 10_001)
    page.fill("#content", "a draft")
    page.reload()
    expect(page.locator("#content")).to_have_value("a draft")
    assert len(bodies(page)) == 1


def test_what_a_person_writes_is_text_and_links_are_safe(ana: Person, new_page: NewPage) -> None:
    page = wait_connected(new_page(ana))
    evil = "<img src=x onerror=alert(1)><script>alert(2)</script> see https://example.com/?a=1&b=2"
    say(page, evil)
    wait_sent(page)
    page.reload()
    assert bodies(page) == [evil]
    link = page.locator(".message-body a")
    expect(link).to_have_attribute("href", "https://example.com/?a=1&b=2")
    expect(link).to_have_attribute("rel", re.compile("noopener"))
    expect(page.locator(".message-body img, .message-body script")).to_have_count(0)


def test_without_javascript_pages_show_history_and_a_form_posts(ana: Person, new_page: NewPage) -> None:
    socket = ana.connect()
    for number in range(12):
        socket.post(f"message {number}")
    page = new_page(ana, java_script_enabled=False)
    assert bodies_without_script(page) == [f"message {number}" for number in range(2, 12)]
    page.fill("#content", "by form")
    page.click("[aria-label=Send]")
    assert bodies_without_script(page)[-1] == "by form"
    page.fill("#content", "x" * 10_001)
    page.click("[aria-label=Send]")
    expect(page.locator("#composer-error")).to_contain_text(re.compile("10,?000"))
    expect(page.locator("#content")).to_have_value("x" * 10_001)
    page.goto(ana.server.url)
    page.click("text=Older messages")
    assert bodies_without_script(page)[0] == "message 0"


def bodies_without_script(page: Page) -> list[str]:
    return page.locator("[data-messages] .message-body").all_inner_texts()


PAGES = ["/", "/rooms", "/rooms/new", "{room}", "{room}/settings", "/people", "/settings", "/settings/tokens"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_fit_a_phone_and_a_desk_and_are_accessible(ana: Person, new_page: NewPage, scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    room = ana.create_room("A room with a rather long name that has to be cut off somewhere", topic="topic " * 20)
    socket = ana.connect()
    for text in ("hello", "x" * 300, "https://example.com/" + "y" * 300, "one\ntwo"):
        socket.post(text)
        socket.post(text, room)
    problems = []
    for viewport in ({"width": 360, "height": 740}, {"width": 1280, "height": 800}):
        page = new_page(ana, color_scheme=scheme, viewport=viewport)
        for template in PAGES:
            path = template.format(room=room_path(room))
            page.goto(ana.server.url + path)
            if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
                problems.append(f"{path} scrolls sideways at {viewport['width']}")
            violations = Axe().run(page).response["violations"]
            problems += [
                f"{path} at {viewport['width']}: {each['id']} {each['nodes'][0]['html'][:200]}"
                for each in violations
                if each["impact"] in {"serious", "critical"}
            ]
    assert not problems, "\n".join(problems)


def test_new_messages_below_do_not_move_what_one_reads(ana: Person, bob: Person, new_page: NewPage) -> None:
    socket = bob.connect()
    for number in range(80):
        socket.post(f"message {number}")
    page = wait_connected(new_page(ana))
    view = page.locator("[data-timeline]")
    expect(page.locator("#message-31")).to_be_attached()
    while 1 not in numbers(page):
        first = numbers(page)[0]
        view.evaluate("view => { view.scrollTop = 40; }")
        expect(page.locator(f"#message-{first - 1}")).to_be_attached()
    assert numbers(page) == list(range(1, 81))

    view.evaluate("view => { view.scrollTop = 300; }")
    page.wait_for_timeout(300)
    before = view.evaluate("view => view.scrollTop")
    socket.post("news")
    expect(page.locator("[data-jump-to-latest]")).to_be_visible()
    assert abs(view.evaluate("view => view.scrollTop") - before) <= 2
    page.click("[data-jump-to-latest]")
    expect(page.locator("#message-81")).to_be_in_viewport()


def test_messages_of_one_person_are_grouped_and_days_separated(ana: Person, new_page: NewPage) -> None:
    socket = ana.connect()
    for number in range(3):
        socket.post(f"message {number}")
    page = wait_connected(new_page(ana))
    expect(page.locator(".message.is-continued")).to_have_count(2)
    expect(page.locator("[data-messages]")).to_contain_text("Today")
