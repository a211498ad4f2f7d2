"""Fetches one page and finds what a preview of a link to it shows.

A redirect is returned and not followed: the server requests the next URL as it requests any other one.
"""

import json
import math
import time
from collections.abc import Collection
from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from chatapp.http_client import Exchange, RequestFailed, Target, is_http_url, request_errors
from chatapp.limits.response_budget import MAX_HEAD_BYTES, ResponseBudget, ResponseTooLarge
from workers.page_metadata import MAX_URL_CHARS, parse_page

if TYPE_CHECKING:
    import h11

MAX_PAGE_BYTES = 1_000_000
"""What follows is not read."""

MAX_TRANSFER_BYTES = MAX_HEAD_BYTES + MAX_PAGE_BYTES * 11 // 10
"""What may arrive for it, with the heads of chunks."""

MEDIA_TYPES = frozenset({"text/html", "application/xhtml+xml"})

REDIRECTS = frozenset({301, 302, 303, 307, 308})

PORTS = frozenset({80, 443})

HEADERS = {
    "User-Agent": "chatapp (link preview)",
    "Accept": "text/html, application/xhtml+xml;q=0.9",
    # A compressed page of a few kilobytes may have gigabytes.
    "Accept-Encoding": "identity",
}


def run(url: str, timeout_seconds: float, *, allow_private: bool, own_hosts: Collection[str]) -> bytes:
    """Return JSON with `page` and its `PageMetadata`, with `redirect` and a URL, or with `error` and the reason.

    With `allow_private` all ports are allowed too. For `own_hosts` see `Target`.
    """
    target = Target(url=url, allow_private=allow_private, own_hosts=own_hosts, ports=None if allow_private else PORTS)
    try:
        return json.dumps(_fetch(target, time.monotonic() + timeout_seconds)).encode()
    except RequestFailed as error:
        return json.dumps({"error": str(error)}).encode()
    except TimeoutError:
        return json.dumps({"error": f"no response within {timeout_seconds:g} seconds"}).encode()


def _fetch(target: Target, deadline: float) -> dict[str, object]:
    if not is_http_url(target.url):
        raise RequestFailed("this is no URL of HTTP")
    with request_errors(), closing(target.connect(deadline)) as connection:
        exchange = Exchange(connection, deadline)
        exchange.send("GET", target.parts, HEADERS)
        budget = ResponseBudget(MAX_TRANSFER_BYTES, math.inf)
        head = exchange.read_head(budget)
        if head.status_code in REDIRECTS:
            return {"redirect": _join(target.url, _find_header(head, b"location"))}
        charset = _check_head(head)
        content = _read_page(exchange, budget)
    page = asdict(parse_page(content, charset))
    if page["picture"]:
        page["picture"] = _try_join(target.url, page["picture"])
    return {"page": page}


def _check_head(head: "h11.Response") -> str:
    """Return the charset of a page. Raises `RequestFailed` for another response."""
    if head.status_code != 200:
        raise RequestFailed(f"the response has status {head.status_code}")
    if _find_header(head, b"content-encoding").strip().lower() not in {"", "identity"}:
        raise RequestFailed("the response is compressed")
    media_type, _, parameters = _find_header(head, b"content-type").partition(";")
    if media_type.strip().lower() not in MEDIA_TYPES:
        raise RequestFailed("the response is no page")
    _, _, charset = parameters.lower().partition("charset=")
    return charset.partition(";")[0]


def _read_page(exchange: Exchange, budget: ResponseBudget) -> bytes:
    """Return the page until its head ends, or until it is too long."""
    content = bytearray()
    try:
        for part in exchange.read_body(budget):
            searched_from = max(len(content) - 10, 0)
            content += part
            if len(content) >= MAX_PAGE_BYTES or b"</head" in bytes(content[searched_from:]).lower():
                break
    except ResponseTooLarge:
        pass  # What has arrived is enough.
    return bytes(content[:MAX_PAGE_BYTES])


def _find_header(head: "h11.Response", name: bytes) -> str:
    return next((bytes(value).decode("latin-1") for key, value in head.headers if key == name), "")


def _join(base: str, url: str) -> str:
    """Return an absolute URL. Raises `RequestFailed` if requests cannot be sent to it."""
    joined = _try_join(base, url)
    if not joined:
        raise RequestFailed("the response redirects to no URL of HTTP")
    return joined


def _try_join(base: str, url: str) -> str:
    """Return an absolute URL, or an empty text if requests cannot be sent to it."""
    try:
        joined = urlsplit(urljoin(base, url.strip()))._replace(fragment="").geturl() if url.strip() else ""
    except ValueError:
        return ""
    return joined if len(joined) <= MAX_URL_CHARS and is_http_url(joined) else ""
