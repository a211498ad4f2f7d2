"""Fetches one page and finds what a preview of a link to it shows, or fetches the picture of a page.

A redirect is returned and not followed: the server requests the next URL as it requests any other one.
"""

import json
import math
import time
from collections.abc import Collection
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from chatapp.http_client import Exchange, RequestFailed, Target, is_http_url, request_errors
from chatapp.limits.response_budget import MAX_HEAD_BYTES, ResponseBudget, ResponseTooLarge
from workers.page_metadata import MAX_URL_CHARS, parse_page

if TYPE_CHECKING:
    import h11

MAX_PAGE_BYTES = 1_000_000
"""What follows is not read."""

MAX_PICTURE_BYTES = 5_000_000

PAGE_TYPES = frozenset({"text/html", "application/xhtml+xml"})

# The content decides what it is (`workers/media`). These limit what is fetched at all; SVG is not among them.
PICTURE_TYPES = frozenset({"image/avif", "image/gif", "image/jpeg", "image/jpg", "image/png", "image/webp"})

REDIRECTS = frozenset({301, 302, 303, 307, 308})

PORTS = frozenset({80, 443})

HEADERS = {
    "User-Agent": "chatapp (link preview)",
    # A compressed page of a few kilobytes may have gigabytes.
    "Accept-Encoding": "identity",
}

ACCEPT_PAGES = "text/html, application/xhtml+xml;q=0.9"
ACCEPT_PICTURES = "image/avif, image/webp, image/png, image/jpeg, image/gif"


def run(
    url: str, timeout_seconds: float, *, allow_private: bool, own_hosts: Collection[str], picture_path: str = ""
) -> bytes:
    """Return JSON with `page` and its `PageMetadata`, with `redirect` and a URL, or with `error` and the reason.

    With `picture_path` a picture is fetched and written to this file. Then the JSON has `picture` with its `size` in
    bytes instead of `page`. With `allow_private` all ports are allowed too. For `own_hosts` see `Target`.
    """
    target = Target(url=url, allow_private=allow_private, own_hosts=own_hosts, ports=None if allow_private else PORTS)
    try:
        return json.dumps(_fetch(target, time.monotonic() + timeout_seconds, picture_path)).encode()
    except RequestFailed as error:
        return json.dumps({"error": str(error)}).encode()
    except TimeoutError:
        return json.dumps({"error": f"no response within {timeout_seconds:g} seconds"}).encode()


def _fetch(target: Target, deadline: float, picture_path: str) -> dict[str, object]:
    if not is_http_url(target.url):
        raise RequestFailed("this is no URL of HTTP")
    with request_errors(), closing(target.connect(deadline)) as connection:
        exchange = Exchange(connection, deadline)
        exchange.send("GET", target.parts, {**HEADERS, "Accept": ACCEPT_PICTURES if picture_path else ACCEPT_PAGES})
        max_bytes = MAX_PICTURE_BYTES if picture_path else MAX_PAGE_BYTES
        # The heads of chunks count too.
        budget = ResponseBudget(MAX_HEAD_BYTES + max_bytes * 11 // 10, math.inf)
        head = exchange.read_head(budget)
        if head.status_code in REDIRECTS:
            return {"redirect": _join(target.url, _find_header(head, b"location"))}
        charset = ""
        if picture_path:
            _check_head(head, PICTURE_TYPES, "picture")
            content = _read_picture(exchange, budget, _find_header(head, b"content-length"))
        else:
            charset = _check_head(head, PAGE_TYPES, "page")
            content = _read_page(exchange, budget)
    if picture_path:
        Path(picture_path).write_bytes(content)
        return {"picture": {"size": len(content)}}
    page = asdict(parse_page(content, charset))
    if page["picture"]:
        page["picture"] = _try_join(target.url, page["picture"])
    return {"page": page}


def _check_head(head: "h11.Response", media_types: Collection[str], expected: str) -> str:
    """Return the charset of a response. Raises `RequestFailed` if it has not what is expected."""
    if head.status_code != 200:
        raise RequestFailed(f"the response has status {head.status_code}")
    if _find_header(head, b"content-encoding").strip().lower() not in {"", "identity"}:
        raise RequestFailed("the response is compressed")
    media_type, _, parameters = _find_header(head, b"content-type").partition(";")
    if media_type.strip().lower() not in media_types:
        raise RequestFailed(f"the response is no {expected}")
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


def _read_picture(exchange: Exchange, budget: ResponseBudget, content_length: str) -> bytes:
    """Return a picture. Raises `RequestFailed` if it is too large."""
    content = bytearray()
    try:
        if content_length and int(content_length) > MAX_PICTURE_BYTES:
            raise ResponseTooLarge
        for part in exchange.read_body(budget):
            content += part
            if len(content) > MAX_PICTURE_BYTES:
                raise ResponseTooLarge
    except ResponseTooLarge:
        raise RequestFailed(f"the picture has more than {MAX_PICTURE_BYTES / 1_000_000:g} MB") from None
    return bytes(content)


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
