"""Files in messages: how they are shown, and the viewer."""

import re
from contextlib import suppress

import pytest
from playwright.sync_api import Error, Page, Response, Route, expect

from tests.harness import media
from tests.harness.accessibility import list_violations
from tests.harness.media import draw, encode
from tests.harness.pages import PHONE, SCROLLS_SIDEWAYS, NewPage, wait_until_connected
from tests.harness.people import Person, room_path
from tests.harness.stored_files import attach_inspected
from tests.harness.waiting import eventually

pytestmark = pytest.mark.browser

RTL_NAME = "صورة-report (final).txt"

SHIFTS = """() => new Promise((resolve) => {
  const shifts = [];
  const observer = new PerformanceObserver((list) => {
    for (const { value, sources } of list.getEntries())
      shifts.push([value, sources.map(({ node, previousRect, currentRect }) =>
        [node?.outerHTML?.slice(0, 120) ?? node?.textContent, previousRect.toJSON(), currentRect.toJSON()])]);
  });
  observer.observe({ type: "layout-shift", buffered: true });
  requestAnimationFrame(() => requestAnimationFrame(() => resolve(shifts)));
})"""
"""Returns the layout shifts since the page was loaded, with what has moved."""

MESSAGES: list[dict[str, bytes]] = [
    {"wide.png": encode(draw(1_600, 800), "PNG")},
    {
        "a.png": encode(draw(300, 600), "PNG"),
        "b.png": encode(draw(900, 300), "PNG"),
        "c.gif": media.encode_animation("GIF"),
    },
    {
        RTL_NAME: b"one line\n" * 30,
        "paper.pdf": media.pdf(),
        "clip.mp4": media.mp4(),
        "data.zip": b"PK\x03\x04" + bytes(500),
    },
]


@pytest.fixture
def room(ana: Person) -> str:
    """A room with messages that have files of each kind."""
    room = ana.create_room("Design")
    socket = ana.connect()
    for number, files in enumerate(MESSAGES):
        attach_inspected(ana.server, room, socket.post(f"message {number}", room)["seq"], files)
    return room


def open_room(new_page: NewPage, person: Person, room: str, **options: object) -> Page:
    page = wait_until_connected(new_page(person, room_path(room), **options))
    for image in page.locator(".message .file-image").all():
        image.scroll_into_view_if_needed()
        expect(image).to_have_js_property("complete", value=True)
        assert image.evaluate("image => image.naturalWidth") > 0
    return page


@pytest.mark.parametrize("options", [{}, PHONE], ids=["wide", "phone"])
def test_files_of_each_kind_are_shown_without_a_layout_shift(
    ana: Person, room: str, new_page: NewPage, options: dict[str, object]
) -> None:
    page = open_room(new_page, ana, room, **options)
    assert page.evaluate(SHIFTS) == []
    assert not page.evaluate(SCROLLS_SIDEWAYS)
    assert list_violations(page) == []
    expect(page.locator(".message .file-name")).to_have_text([RTL_NAME, "paper.pdf", "clip.mp4", "data.zip"])
    page.get_by_role("button", name="Show more").click()
    expect(page.locator(".file-preview")).to_have_class("file-preview is-long is-unfolded")


def test_a_page_with_fifty_pictures_loads_without_a_layout_shift(ana: Person, new_page: NewPage) -> None:
    room = ana.create_room("Design")
    socket = ana.connect()
    for row in range(10):
        pictures = {f"{row}-{column}.png": encode(draw(100 + 90 * column, 200 + row), "PNG") for column in range(5)}
        attach_inspected(ana.server, room, socket.post(f"message {row}", room)["seq"], pictures)
    page = open_room(new_page, ana, room)
    expect(page.locator(".message .file-image")).to_have_count(50)
    assert page.evaluate(SHIFTS) == []


def test_an_animation_runs_when_somebody_asks_for_it(ana: Person, room: str, new_page: NewPage) -> None:
    page = open_room(new_page, ana, room)
    image = page.locator(".message img[alt='c.gif']")
    still = image.get_attribute("src") or ""
    assert still.endswith("?size=small")
    page.get_by_role("button", name="Play animation").click()
    expect(image).to_have_attribute("src", still.removesuffix("?size=small"))
    page.get_by_role("button", name="Pause animation").click()
    expect(image).to_have_attribute("src", still)


def test_the_viewer_leads_through_the_pictures_and_returns_the_focus(ana: Person, room: str, new_page: NewPage) -> None:
    page = open_room(new_page, ana, room)
    page.locator(".message img[alt='a.png']").click()
    viewer, image = page.locator(".viewer"), page.locator(".viewer-image")
    expect(viewer.locator("[data-viewer-position]")).to_have_text("2 of 4")
    expect(image).to_have_js_property("naturalWidth", 300)
    assert list_violations(page, ".viewer") == []
    page.keyboard.press("ArrowLeft")
    expect(viewer.locator("[data-viewer-name]")).to_have_text("wide.png")
    expect(viewer.get_by_role("button", name="Previous picture")).to_be_hidden()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    expect(viewer.locator("[data-viewer-name]")).to_have_text("c.gif")
    page.keyboard.press("ArrowLeft")
    fitted = image.bounding_box()
    page.keyboard.press("+")
    enlarged = image.bounding_box()
    assert fitted
    assert enlarged
    assert enlarged["width"] == pytest.approx(1.5 * fitted["width"], abs=1)
    page.keyboard.press("0")
    assert image.bounding_box() == fitted
    image.click()
    expect(viewer).to_have_class("viewer is-zoomed")
    with page.expect_download() as download:
        viewer.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename == "b.png"
    page.keyboard.press("Escape")
    expect(viewer).to_be_hidden()
    assert page.evaluate("document.activeElement.dataset.name") == "a.png"


def test_the_viewer_shows_the_thumbnail_while_a_picture_is_loaded_and_the_original_when_it_is_enlarged(
    ana: Person, new_page: NewPage
) -> None:
    room = ana.create_room("Design")
    seq = ana.connect().post("two pictures", room)["seq"]
    pictures = {"small.png": encode(draw(300, 600), "PNG"), "huge.png": encode(draw(2_000, 1_000), "PNG")}
    attach_inspected(ana.server, room, seq, pictures)
    page = open_room(new_page, ana, room)
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/huge.png?size=large", hold)
    page.locator(".message img[alt='small.png']").click()
    image = page.locator(".viewer-image")
    expect(image).to_have_js_property("naturalWidth", 300)
    page.keyboard.press("ArrowRight")
    expect(image).to_have_attribute("style", re.compile(r"huge\.png\?size=small"))
    assert image.evaluate("image => image.naturalWidth") == 0
    eventually(lambda: held, "the picture is requested")
    held.pop().continue_()
    expect(image).to_have_js_property("naturalWidth", 1_600)
    expect(image).not_to_have_attribute("style", re.compile("size=small"))
    page.keyboard.press("+")
    expect(image).to_have_js_property("naturalWidth", 2_000)


def test_a_swipe_shows_the_next_picture_or_closes_the_viewer_on_a_phone(
    ana: Person, room: str, new_page: NewPage
) -> None:
    page = open_room(new_page, ana, room, **PHONE)
    page.locator(".message img[alt='a.png']").tap()
    name = page.locator("[data-viewer-name]")
    network = page.context.new_cdp_session(page)

    def move(*steps: list[tuple[int, int]]) -> None:
        """Move fingers, whose places each step has."""
        for kind, places in zip(
            ("touchStart", *["touchMove"] * (len(steps) - 1), "touchEnd"), (*steps, []), strict=True
        ):
            points = [{"x": x, "y": y, "id": finger} for finger, (x, y) in enumerate(places)]
            network.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    for start, end, expected in ((300, 60, "b.png"), (60, 300, "a.png")):
        move(*([(x, 400)] for x in (start, (start + end) // 2, end)))
        expect(name).to_have_text(expected)
    # Two fingers enlarge the page; then one moves what is visible.
    move(*([(180 - distance, 400), (180 + distance, 400)] for distance in range(30, 150, 20)))
    expect(page.locator(".viewer")).to_have_class("viewer is-pinched")
    move(*([(x, 400)] for x in range(300, 60, -40)))
    expect(name).to_have_text("a.png")
    move(*([(180 - distance, 400), (180 + distance, 400)] for distance in range(170, 10, -20)))
    expect(page.locator(".viewer")).to_have_class("viewer")
    move(*([(180, y)] for y in (300, 400, 500)))
    expect(page.locator(".viewer")).to_be_hidden()


def test_the_open_viewer_of_a_removed_member_shows_no_further_picture(
    ana: Person, bob: Person, room: str, new_page: NewPage
) -> None:
    ana.invite(room, bob)
    page = wait_until_connected(new_page(bob, room_path(room)))
    page.locator(".message img[alt='wide.png']").click()
    expect(page.locator(".viewer-image")).to_have_js_property("complete", value=True)
    ana.remove(room, bob)
    page.route(
        "**/files/**", lambda route: route.continue_(headers=route.request.headers | {"cache-control": "no-cache"})
    )
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".viewer-error")).to_be_visible()


def test_a_file_is_removed_while_its_message_is_edited(ana: Person, new_page: NewPage) -> None:
    room = ana.create_room("Design")
    seq = ana.connect().post("two files", room)["seq"]
    attach_inspected(ana.server, room, seq, {"a.png": encode(draw(300, 600), "PNG"), "notes.txt": b"hello"})
    page = wait_until_connected(new_page(ana, room_path(room)))
    other = wait_until_connected(new_page(ana, room_path(room)))
    page.press("#content", "ArrowUp")
    page.get_by_role("button", name="Remove a.png").click()
    expect(page.locator(".file-picture")).to_have_class("file-picture is-removed")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".is-removed, [data-remove-file]")).to_have_count(0)
    page.press("#content", "ArrowUp")
    page.get_by_role("button", name="Remove a.png").click()
    page.get_by_role("button", name="Save").click()
    for each in (page, other):
        expect(each.locator(".message .file-image")).to_have_count(0)
        expect(each.locator(".message .file-name")).to_have_text("notes.txt")
    # Without the text, nothing would be left after the last one.
    page.press("#content", "ArrowUp")
    page.get_by_role("button", name="Remove notes.txt").click()
    page.fill(".message-edit textarea", "")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("dialog", name="Delete this message?").get_by_role("button", name="Delete").click()
    expect(other.locator(".message.is-deleted")).to_have_count(1)


def get_offset(response: Response) -> int:
    """Return where the part of a file begins that a response has."""
    return int(response.headers.get("content-range", "bytes 0-").removeprefix("bytes ").partition("-")[0])


def test_files_that_are_opened_by_their_url_are_played_shown_or_downloaded_and_run_nothing(
    ana: Person, new_page: NewPage
) -> None:
    script = b"<script>alert(document.cookie)</script>"
    contents = {
        "page.html": b"<html>" + script,
        "picture.svg": b"<svg xmlns='http://www.w3.org/2000/svg'>" + script + b"</svg>",
        "paper.pdf": media.pdf(),
        "speech.wav": media.wav(120),
    }
    posted = ana.connect().post("open them")
    attach_inspected(ana.server, "general", posted["seq"], contents)
    (message,) = ana.api().get("/conversations/general/messages").json()["messages"]
    urls = {file["name"]: file["url"] for file in message["files"]}
    page = new_page(ana, "/health")
    for name in ("page.html", "picture.svg"):
        with page.expect_download() as download, suppress(Error):  # The navigation ends with the download.
            page.goto(ana.server.url + urls[name])
        assert download.value.suggested_filename == name
    # The viewer is an extension of Chromium, which would show nothing of a sandboxed document.
    with page.expect_response(lambda response: "pdf_viewer" in response.url):
        page.goto(ana.server.url + urls["paper.pdf"])
    page.goto(ana.server.url + urls["speech.wav"])
    with page.expect_response(lambda response: get_offset(response) > 10_000_000) as part:
        page.locator("video").evaluate("""async (player) => {
          player.currentTime = 110;
          await new Promise((resolve) => player.addEventListener("seeked", resolve, { once: true }));
        }""")
    assert part.value.status == 206
