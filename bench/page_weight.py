"""What Chromium loads of a page: the requests that reach the server, and the bytes of their responses."""

from typing import Any
from urllib.parse import urljoin, urlsplit

from playwright.sync_api import BrowserContext

from tests.harness.browser import chromium
from tests.harness.pages import wait_until_connected

SETTLING_MS = 1_000
"""Time in which scripts load more after the page is connected."""


def measure_visits(url: str, cookies: str) -> tuple[tuple[int, float], tuple[int, float]]:
    """Return the number of requests and the transferred KB of a first and a second visit to a page."""
    with chromium() as browser:
        context = browser.new_context()
        for name, _, value in (cookie.partition("=") for cookie in cookies.split("; ")):
            context.add_cookies([{"name": name, "value": value, "url": urljoin(url, "/")}])
        return _visit(context, url), _visit(context, url)


def _visit(context: BrowserContext, url: str) -> tuple[int, float]:
    page = context.new_page()
    network = context.new_cdp_session(page)
    network.send("Network.enable")
    cached: set[str] = set()
    loaded: dict[str, float] = {}

    def on_cached(event: dict[str, Any]) -> None:
        cached.add(event["requestId"])

    def on_response(event: dict[str, Any]) -> None:
        response = event["response"]
        is_cached = event["requestId"] in cached or response.get("fromDiskCache") or response.get("fromServiceWorker")
        if not is_cached and urlsplit(response["url"]).scheme == "http":  # An icon may be a `data:` URL.
            loaded[event["requestId"]] = 0.0

    def on_finished(event: dict[str, Any]) -> None:
        if event["requestId"] in loaded:
            loaded[event["requestId"]] = event["encodedDataLength"] / 1_000

    network.on("Network.requestServedFromCache", on_cached)
    network.on("Network.responseReceived", on_response)
    network.on("Network.loadingFinished", on_finished)
    page.goto(url)
    wait_until_connected(page)
    page.wait_for_timeout(SETTLING_MS)
    page.close()
    return len(loaded), sum(loaded.values())
