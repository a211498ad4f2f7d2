"""Switching: from the click on a room to its last visible change, and layout shift, against loading the page in full.

Both sides are Chromium with the same pages. The second one has no Navigation API, so that it loads each page in full.
A member of 20 rooms clicks in the sidebar, on rooms that were not shown before and on the same ones again, without
latency and with 150 ms for each request. A page is final when nothing of it moves or changes any more: its heading,
messages, lines between them and the composer.
"""

import os
import statistics
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from playwright.sync_api import Browser, Page

from bench.installation import LOAD_CORE, UNLIMITED, Installation, installation
from bench.report import Figure
from tests.harness.browser import chromium
from tests.harness.pages import wait_until_connected
from tests.harness.people import Person, room_path

ROUNDS = 3
PEOPLE = 20
ROOMS = 20
MESSAGES = 200
CLICKS = 4
"""Rooms that are clicked in each round."""
LATENCIES_MS = (0, 150)
SWITCH, LOAD = "switch", "load in full"
WITHOUT_SWITCHING = "delete window.navigation;"
WATCH = """
(() => {
  const SETTLED_MS = 800;
  const now = () => performance.timeOrigin + performance.now();
  const stored = () => JSON.parse(sessionStorage.getItem("watched") ?? "null");
  const store = (watched) => sessionStorage.setItem("watched", JSON.stringify(watched));
  const VISIBLE = "main :is(.message, .date-separator, .unread-divider, .read-receipts, .composer), .topbar-heading";

  function fingerprint() {
    return [...document.querySelectorAll(VISIBLE)]
      .map((element) => [element, element.getBoundingClientRect()])
      .filter(([, { top, bottom, height }]) => height && bottom > 0 && top < innerHeight)
      .map(([element, { top, height }]) => `${element.textContent}|${Math.round(top)}|${Math.round(height)}`)
      .join();
  }

  let shown = null;
  function look() {
    const watched = stored();
    if (!watched || watched.isSettled || !document.body) return;
    const seen = fingerprint();
    if (seen !== shown) Object.assign(watched, { changedAt: now() });
    shown = seen;
    const isThere = document.querySelector("main")?.dataset.conversation === watched.conversation;
    if (isThere && now() - watched.changedAt > SETTLED_MS) watched.isSettled = true;
    store(watched);
    document.documentElement.toggleAttribute("data-is-settled", watched.isSettled);
  }

  const { port1, port2 } = new MessageChannel();
  // After the frame was painted.
  port1.onmessage = look;
  (function everyFrame() {
    requestAnimationFrame(() => {
      port2.postMessage(null);
      everyFrame();
    });
  })();

  addEventListener("click", ({ target, timeStamp }) => {
    const conversation = target.closest("[data-entry]")?.dataset.entry;
    if (!conversation) return;
    shown = fingerprint();
    document.documentElement.removeAttribute("data-is-settled");
    const clickedAt = performance.timeOrigin + timeStamp;
    store({ conversation, clickedAt, changedAt: clickedAt, shift: 0, isSettled: false });
  }, { capture: true });
  new PerformanceObserver((list) => {
    const watched = stored();
    if (!watched) return;
    for (const { value } of list.getEntries()) watched.shift += value;
    store(watched);
  }).observe({ type: "layout-shift" });
})();
"""

Values = dict[str, dict[str, list[float]]]
"""By the name of the figure and the side."""


def run() -> Sequence[Figure]:
    """Measure both sides alternately."""
    values: Values = {}
    with installation(**UNLIMITED) as target:
        member, rooms = _prepare(target)
        os.sched_setaffinity(0, {LOAD_CORE})
        with chromium() as browser:
            for _ in range(ROUNDS):
                for latency in LATENCIES_MS:
                    for side in (SWITCH, LOAD):
                        with _open(browser, member, target.url, latency, side) as page:
                            _measure(page, rooms[:CLICKS], f", {latency} ms latency", side, values)
    return [
        Figure.of(name, _unit(name), (SWITCH, sides[SWITCH]), (LOAD, sides[LOAD])) for name, sides in values.items()
    ]


def _unit(name: str) -> str:
    return "" if name.startswith(("layout shift", "sockets")) else "ms"


def _prepare(target: Installation) -> tuple[Person, list[str]]:
    people = target.add_people(PEOPLE)
    target.add_members("general", people)
    rooms = []
    for number in range(ROOMS):
        room = target.create_room(f"Room {number + 1}")
        target.add_members(room, people)
        target.fill(room, MESSAGES, senders=PEOPLE)
        rooms.append(room)
    for room in rooms:
        people[0].get(room_path(room)).raise_for_status()  # The first request of each renders its messages.
    return people[0], rooms


@contextmanager
def _open(browser: Browser, member: Person, url: str, latency: int, side: str) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.add_init_script(WATCH)
    if side == LOAD:
        context.add_init_script(WITHOUT_SWITCHING)
    context.add_cookies(
        [{"name": cookie.name, "value": cookie.value or "", "url": url} for cookie in member.http.cookies]
    )
    page = context.new_page()
    context.new_cdp_session(page).send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": latency, "downloadThroughput": -1, "uploadThroughput": -1},
    )
    page.goto(url)
    wait_until_connected(page)
    page.wait_for_load_state("networkidle")
    yield page
    context.close()


def _measure(page: Page, rooms: Sequence[str], conditions: str, side: str, values: Values) -> None:
    sockets: list[object] = []
    page.on("websocket", lambda socket: sockets.append(socket))  # noqa: PLW0108 - Playwright cannot wrap a built-in.

    def add(name: str, numbers: Sequence[float]) -> None:
        values.setdefault(name, {}).setdefault(side, []).append(statistics.median(numbers))

    for kind in ("new room", "room seen before"):
        times, shifts = zip(*(_click(page, room) for room in rooms), strict=True)
        add(f"{kind}{conditions}", times)
        add(f"layout shift, {kind}{conditions}", shifts)
    add(f"sockets for a click{conditions}", [len(sockets) / (2 * len(rooms))])


def _click(page: Page, room: str) -> tuple[float, float]:
    """Click on a room. Return the milliseconds until its page was final, and the layout shift."""
    page.click(f"[data-entry='{room}']")
    page.wait_for_selector("html[data-is-settled]", state="attached")
    watched = page.evaluate("JSON.parse(sessionStorage.getItem('watched'))")
    assert watched["conversation"] == room
    return watched["changedAt"] - watched["clickedAt"], watched["shift"]
