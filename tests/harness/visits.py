"""What Chromium loads when it visits a conversation's page."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext

from tests.harness.pages import wait_until_connected


@dataclass
class Visit:
    """The requests that reached the server, the socket's included, and the bytes of its responses."""

    urls: dict[str, str] = field(default_factory=dict)
    """By request id."""
    size: int = 0


def visit(context: BrowserContext, url: str) -> Visit:
    """Open a conversation's page, wait until everything is loaded, and close it."""
    page = context.new_page()
    network = context.new_cdp_session(page)
    network.send("Network.enable")
    cached: set[str] = set()
    loaded = Visit()

    def on_cached(event: dict[str, Any]) -> None:
        cached.add(event["requestId"])

    def on_response(event: dict[str, Any]) -> None:
        response = event["response"]
        is_cached = event["requestId"] in cached or response.get("fromDiskCache")
        if not is_cached and urlsplit(response["url"]).scheme == "http":  # An icon may be a `data:` URL.
            loaded.urls[event["requestId"]] = response["url"]

    def on_finished(event: dict[str, Any]) -> None:
        if event["requestId"] in loaded.urls:
            loaded.size += event["encodedDataLength"]

    def on_socket(event: dict[str, Any]) -> None:
        loaded.urls[event["requestId"]] = event["url"]

    def on_frame(event: dict[str, Any]) -> None:
        loaded.size += len(event["response"]["payloadData"])

    network.on("Network.requestServedFromCache", on_cached)
    network.on("Network.responseReceived", on_response)
    network.on("Network.loadingFinished", on_finished)
    network.on("Network.webSocketCreated", on_socket)
    network.on("Network.webSocketFrameReceived", on_frame)
    page.goto(url)
    wait_until_connected(page)
    page.wait_for_load_state("networkidle")
    page.close()
    return loaded
