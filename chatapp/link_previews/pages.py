"""Fetches pages of links through the worker processes, and remembers the results."""

import json
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import structlog

from chatapp.concurrency.worker_processes import WorkerPool
from chatapp.config import Settings
from chatapp.errors import Busy, ChatError
from chatapp.files.pictures import fetch_picture
from chatapp.http_client import canonicalize_url, is_own_host
from chatapp.link_previews.host_turns import HostTurns
from chatapp.link_previews.own_hosts import OwnHosts
from chatapp.timeline.link_previews import PagePreview

log = structlog.get_logger(__name__)

MAX_REDIRECTS = 4

REQUEST_SECONDS = 8.0
"""Maximum duration of one request."""

WORKER_SECONDS = 20.0
"""Time after which a process is killed: it may have to be started, and to parse the page."""

HOST_INTERVAL_SECONDS = 0.5
"""Pause between two requests to a host."""

MAX_CALLS_OF_HOST = 6
"""Maximum number of requests that wait for one host. Further links to it get no preview."""

KEPT_SECONDS = 1_800.0
"""Time for which a preview is used again. It must be shorter than that after which an unused picture is removed."""

FAILURE_KEPT_SECONDS = 600.0
"""Time for which a page is not requested again that has no preview."""

MAX_KEPT_PAGES = 1_000


class PageFetcher:
    """Fetches pages, each once for some time. Call it within an application context, on a green thread."""

    def __init__(self, settings: Settings, reached: OwnHosts | None = None) -> None:
        self._allow_private = settings.link_preview_private_networks
        self._own_hosts = sorted(settings.own_host_names)
        self._reached = reached or OwnHosts()
        self._pool = WorkerPool(
            "link_previews", processes=2, max_queued=100, memory_mb=256, timeout_seconds=WORKER_SECONDS
        )
        self._turns = HostTurns(HOST_INTERVAL_SECONDS, max_calls=MAX_CALLS_OF_HOST)
        self._kept: OrderedDict[str, tuple[float, PagePreview | None]] = OrderedDict()
        """Previews, None for failures, with the time until which they are kept."""

    def fetch(self, url: str) -> PagePreview | None:
        """Return the preview of a page; None if it has none, or cannot be fetched now."""
        url = canonicalize_url(url)
        kept_until, preview = self._kept.get(url, (0.0, None))
        if kept_until > time.monotonic():
            return preview
        try:
            preview = self._fetch(url)
        except Busy as error:
            log.info("page of a link not fetched", reason=error.message)
            return None
        except ChatError as error:
            log.info("page of a link not fetched", reason=error.message)
            preview = None
        seconds = KEPT_SECONDS if preview else FAILURE_KEPT_SECONDS
        self._kept[url] = time.monotonic() + seconds, preview
        while len(self._kept) > MAX_KEPT_PAGES:
            self._kept.popitem(last=False)
        return preview

    def _fetch(self, url: str) -> PagePreview | None:
        response = self._request(url)
        if "page" not in response:
            log.info("page of a link has no preview", reason=response.get("error"))
            return None
        page = response["page"]
        if not page["title"]:
            return None
        preview = PagePreview(url=url, title=page["title"], description=page["description"], site=page["site"])
        picture = fetch_picture(page["picture"], self._request) if page["picture"] else None
        if picture is None:
            return preview
        return replace(
            preview,
            picture_digest=picture.digest,
            picture_width=picture.width,
            picture_height=picture.height,
            picture_placeholder=picture.placeholder,
            picture_alt=page["picture_alt"],
        )

    def _request(self, url: str, picture_path: str = "") -> Mapping[str, Any]:
        """Return the response of the worker, after redirects. Raises `Busy` and what `WorkerPool.run` raises."""
        for _ in range(1 + MAX_REDIRECTS):
            # Other spellings of a host would be requested at the same time.
            url = canonicalize_url(url)
            host = urlsplit(url).hostname or ""
            if self._reached.has_page(url) or is_own_host(host, self._own_hosts):
                return {"error": "the page is one of this installation"}
            with self._turns.take(host):
                response: dict[str, Any] = json.loads(
                    self._pool.run(
                        url=url,
                        timeout_seconds=REQUEST_SECONDS,
                        allow_private=self._allow_private,
                        own_hosts=self._own_hosts,
                        picture_path=picture_path,
                    )
                )
            if "redirect" not in response:
                return response
            url = response["redirect"]
        return {"error": "too many redirects"}
