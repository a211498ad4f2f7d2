"""Fetching pages through the worker processes."""

import json
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from chatapp.config import Settings
from chatapp.errors import Busy, TooComplex
from chatapp.link_previews import pages
from chatapp.link_previews.own_hosts import MAX_HOSTS, OwnHosts
from chatapp.link_previews.pages import MAX_REDIRECTS, PageFetcher
from tests.harness.site import running_site
from workers.link_previews import run

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
    for url in ("https://a.com/x", "https://a.com/x#part", "https://A.com./x", "https://a.com:443/x"):
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


def test_all_spellings_of_a_host_take_turns(fetcher: PageFetcher, worker: Worker) -> None:
    worker.responses["https://a.com/1"] = {"redirect": "https://A.com.:443/2"}
    worker.responses["https://a.com/2"] = {"redirect": "http://a.com:80/3"}
    assert fetcher.fetch("https://a.com/1") is not None
    assert worker.requests == ["https://a.com/1", "https://a.com/2", "http://a.com/3"]
    assert fetcher._turns._hosts.keys() == {"a.com"}


def test_a_redirect_to_a_private_address_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "HOST_INTERVAL_SECONDS", 0.0)
    fetcher = PageFetcher(Settings(data_dir=tmp_path))
    requested: list[str] = []

    class Pool:
        """A public page that redirects, and the program of the worker processes for what follows."""

        def run(self, url: str, **arguments: Any) -> bytes:
            requested.append(url)
            if url.startswith("https://public.example/"):
                return json.dumps({"redirect": private}).encode()
            return run(url, **arguments)

    monkeypatch.setattr(fetcher, "_pool", Pool())
    with running_site() as site:
        for number, private in enumerate((site.add("/", "Internal"), "http://127.0.0.1/", "http://[::ffff:a00:1]/")):
            assert fetcher.fetch(f"https://public.example/{number}") is None
            assert requested[-1] == private
        assert site.requested == []


def test_many_links_to_one_host_are_requested_one_at_a_time_and_few_of_them(
    fetcher: PageFetcher, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, may_end = threading.Event(), threading.Event()
    running: list[int] = []
    respond = worker.run

    def run_slowly(url: str, **arguments: Any) -> bytes:
        running.append(len(running) + 1)
        begun.set()
        assert may_end.wait(30)
        assert running.pop() == 1, "another request runs"
        return respond(url, **arguments)

    monkeypatch.setattr(worker, "run", run_slowly)
    count = pages.MAX_CALLS_OF_HOST
    with ThreadPoolExecutor(count) as threads:
        waiting = [threads.submit(fetcher.fetch, f"https://a.com/{number}") for number in range(count)]
        assert begun.wait(30)
        while fetcher._turns._hosts["a.com"].calls < count:
            time.sleep(0.01)
        assert fetcher.fetch("https://a.com/one-too-many") is None
        may_end.set()
        assert all(each.result() for each in waiting)
    assert len(worker.requests) == count


def test_a_page_of_the_host_by_which_people_reach_the_server_is_not_requested(
    tmp_path: Path, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "HOST_INTERVAL_SECONDS", 0.0)
    hosts = OwnHosts()
    fetcher = PageFetcher(Settings(data_dir=tmp_path), hosts)
    monkeypatch.setattr(fetcher, "_pool", worker)
    hosts.add("Chat.example.com:443")
    worker.responses["https://short.example/"] = {"redirect": "https://chat.example.com/sign-in"}
    for url in (
        "https://chat.example.com/conversations/general",
        "https://CHAT.example.com:443/",
        "https://chat.example.com./",
        "https://chat.example.com.:443/",
        "https://short.example/",
    ):
        assert fetcher.fetch(url) is None
    assert worker.requests == ["https://short.example/"]
    assert fetcher.fetch("https://chat.example.com:8443/") is not None


def test_the_hosts_that_were_reached_last_are_known() -> None:
    hosts = OwnHosts()
    for number in range(MAX_HOSTS + 1):
        hosts.add(f"host{number}.example")
        hosts.add("host0.example")
    assert hosts.has_page("https://host0.example/")
    assert not hosts.has_page("https://host1.example/")


@pytest.mark.parametrize(
    "url",
    [
        "https://chat.example.org/conversations/general",
        "https://chat.example.org./",
        "https://a.example.net/",
        "https://a.example.net./",
    ],
)
def test_the_own_installation_is_not_requested(fetcher: PageFetcher, worker: Worker, url: str) -> None:
    assert fetcher.fetch(url) is None
    assert worker.requests == []
