"""A real Chromium."""

import re
import shutil
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from tests.harness.people import Person
from tests.harness.waiting import scaled

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
RESULTS = Path(__file__).parents[2] / "test-results"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert executable, "there is no Chromium: run bin/setup --dev"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call":
        item.stash[FAILED] = report.failed
    return report


FAILED = pytest.StashKey[bool]()

NewPage = Callable[..., Page]


@pytest.fixture
def new_page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[NewPage]:
    """Open pages, each in a browser of its own, signed in as a person or as nobody.

    The test fails on a mistake in a page's script and on what the content-security policy refused.
    """
    expect.set_options(timeout=1_000 * scaled(30))
    contexts: list[BrowserContext] = []
    mistakes: list[str] = []

    def notice(message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            mistakes.append(message.text)

    def open_page(person: Person | None = None, path: str = "/", *, url: str = "", **options: Any) -> Page:
        context = browser.new_context(viewport=options.pop("viewport", {"width": 1280, "height": 800}), **options)
        context.set_default_timeout(1_000 * scaled(30))
        contexts.append(context)
        if person is not None:
            url = person.server.url
            context.add_cookies(
                [{"name": each.name, "value": each.value or "", "url": url} for each in person.http.cookies]
            )
        page = context.new_page()
        page.on("pageerror", lambda error: mistakes.append(str(error)))
        page.on("console", notice)
        page.goto(url + path)
        return page

    yield open_page
    if request.node.stash.get(FAILED, False):
        RESULTS.mkdir(exist_ok=True)
        name = re.sub(r"\W+", "-", request.node.name)
        for number, page in enumerate(page for context in contexts for page in context.pages):
            page.screenshot(path=RESULTS / f"{name}-{number}.png")
    for context in contexts:
        context.close()
    assert not mistakes, mistakes
