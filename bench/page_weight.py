"""What Chromium loads of a page: the requests that reach the server, and the bytes of their responses."""

from urllib.parse import urljoin

from tests.harness.browser import chromium
from tests.harness.visits import visit


def measure_visits(url: str, cookies: str) -> tuple[tuple[int, float], tuple[int, float]]:
    """Return the number of requests and the transferred KB of a first and a second visit to a page."""
    with chromium() as browser:
        context = browser.new_context()
        for name, _, value in (cookie.partition("=") for cookie in cookies.split("; ")):
            context.add_cookies([{"name": name, "value": value, "url": urljoin(url, "/")}])
        first, second = visit(context, url), visit(context, url)
    return (len(first.urls), first.size / 1_000), (len(second.urls), second.size / 1_000)
