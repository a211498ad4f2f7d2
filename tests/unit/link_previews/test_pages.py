"""Fetching pages through the worker processes."""

import json
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from chatapp.config import Settings
from chatapp.errors import Busy, TooComplex
from chatapp.link_previews import pages
from chatapp.link_previews.pages import MAX_REDIRECTS, PageFetcher

PAGE = {"page": {"title": "Title", "description": "Text", "site": "Site", "picture": ""}}


class Worker:
    """Responds to requests instead of the worker processes."""

    def __init__(self) -> None:
        self.responses: dict[str, Mapping[str, Any] | Exception] = {}
        self.requests: list[str] = []
        self.arguments: dict[str, Any] = {}

    def run(self, url: str, **arguments: Any) -> bytes:
        self.requests.append(url)
        self.arguments = arguments
        response = self.responses.get(url, PAGE)
        if isinstance(response, Exception):
            raise response
        return json.dumps(response).encode()


@pytest.fixture
def worker() -> Worker:
    return Worker()


@pytest.fixture
def fetcher(worker: Worker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PageFetcher:
    monkeypatch.setattr(pages, "HOST_INTERVAL_SECONDS", 0.0)
    fetcher = PageFetcher(Settings(data_dir=tmp_path, allowed_hosts="chat.example.org,.example.net"))
    monkeypatch.setattr(fetcher, "_pool", worker)
    return fetcher


def test_a_page_is_fetched_once_for_all_its_links(fetcher: PageFetcher, worker: Worker) -> None:
    for url in ("https://a.com/x", "https://a.com/x", "https://a.com/x#part"):
        preview = fetcher.fetch(url)
        assert preview is not None
        assert (preview.url, preview.title, preview.description, preview.site) == (
            "https://a.com/x",
            "Title",
            "Text",
            "Site",
        )
    assert worker.requests == ["https://a.com/x"]
    assert worker.arguments["allow_private"] is False
    assert worker.arguments["own_hosts"] == [".example.net", "chat.example.org"]


@pytest.mark.parametrize("response", [{"error": "no"}, {"page": {**PAGE["page"], "title": ""}}, TooComplex("killed")])
def test_a_page_without_a_preview_is_not_requested_again(fetcher: PageFetcher, worker: Worker, response: Any) -> None:
    worker.responses["https://a.com/"] = response
    assert fetcher.fetch("https://a.com/") is None
    assert fetcher.fetch("https://a.com/") is None
    assert len(worker.requests) == 1


def test_a_page_is_requested_again_that_was_not_fetched_because_the_server_was_busy(
    fetcher: PageFetcher, worker: Worker
) -> None:
    worker.responses["https://a.com/"] = Busy("busy")
    assert fetcher.fetch("https://a.com/") is None
    del worker.responses["https://a.com/"]
    assert fetcher.fetch("https://a.com/") is not None


def test_few_results_are_kept_and_for_some_time(
    fetcher: PageFetcher, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "MAX_KEPT_PAGES", 1)
    for url in ("https://a.com/", "https://b.com/", "https://a.com/"):
        fetcher.fetch(url)
    assert len(worker.requests) == 3
    monkeypatch.setattr(pages, "KEPT_SECONDS", 0.0)
    fetcher.fetch("https://c.com/")
    fetcher.fetch("https://c.com/")
    assert worker.requests[3:] == ["https://c.com/"] * 2


def test_each_redirect_is_requested_like_any_other_url(fetcher: PageFetcher, worker: Worker) -> None:
    hops = [f"https://host{number}.com/" for number in range(MAX_REDIRECTS + 2)]
    worker.responses = {hop: {"redirect": next_hop} for hop, next_hop in pairwise(hops)}
    assert fetcher.fetch(hops[0]) is None
    assert worker.requests == hops[:-1]
    preview = fetcher.fetch(hops[1])
    assert preview is not None
    assert preview.url == hops[1]


@pytest.mark.parametrize("url", ["https://chat.example.org/conversations/general", "https://a.example.net/"])
def test_the_own_installation_is_not_requested(fetcher: PageFetcher, worker: Worker, url: str) -> None:
    assert fetcher.fetch(url) is None
    assert worker.requests == []
