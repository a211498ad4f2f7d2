"""Fixtures of the browser tests: pages in Chromium."""

import re
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect

from tests.harness.browser import chromium
from tests.harness.pages import NewPage
from tests.harness.people import Person
from tests.harness.waiting import scaled

OPTIONS = {"viewport": {"width": 1280, "height": 800}, "reduced_motion": "reduce", "service_workers": "block"}
"""Options of browser contexts, unless a test chooses others. Service workers would hide requests from tests."""

SHORT_LIVED = ("--js-flags=--no-opt --no-maglev", "--num-raster-threads=1")
"""Arguments of Chromium for pages that are open for seconds: optimizing their scripts takes longer than it saves."""

SCREENSHOTS = Path(__file__).parents[2] / "test-results"

FAILED = pytest.StashKey[bool]()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium(*SHORT_LIVED) as browser:
        yield browser


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call":
        item.stash[FAILED] = report.failed
    return report


@pytest.fixture
def new_page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[NewPage]:
    """Open pages, each in its own browser context, signed in as a person or not at all.

    The test fails on an uncaught error in a page's script and on a violation of the content security policy. A failed
    test leaves screenshots in test-results.
    """
    expect.set_options(timeout=1_000 * scaled(30))
    contexts: list[BrowserContext] = []
    errors: list[str] = []

    def on_console(message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            errors.append(message.text)

    def open_page(person: Person | None = None, path: str = "/", *, url: str = "", **options: Any) -> Page:
        context = browser.new_context(**OPTIONS | options)
        context.set_default_timeout(1_000 * scaled(30))
        contexts.append(context)
        if person is not None:
            url = person.server.url
            context.add_cookies(
                [{"name": cookie.name, "value": cookie.value or "", "url": url} for cookie in person.http.cookies]
            )
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", on_console)
        page.goto(url + path)
        return page

    yield open_page
    if request.node.stash.get(FAILED, False):
        SCREENSHOTS.mkdir(exist_ok=True)
        name = re.sub(r"\W+", "-", request.node.name)
        for number, page in enumerate(page for context in contexts for page in context.pages):
            page.screenshot(path=SCREENSHOTS / f"{name}-{number}.png")
    for context in contexts:
        context.close()
    assert not errors, errors
