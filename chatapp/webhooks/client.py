"""Requests to the URLs of webhooks. Redirects are not followed, and only the head of the response is read."""

import time
from collections.abc import Collection, Mapping
from contextlib import closing

from chatapp.concurrency.native import TimeLimitExceeded, time_limit
from chatapp.errors import Invalid
from chatapp.http_client import Exchange, PrivateNetwork, RequestFailed, Target, is_http_url, request_errors
from chatapp.limits.response_budget import MAX_HEAD_BYTES, ResponseBudget


def check_url(value: str) -> str:
    """Return the URL unchanged. Raises `Invalid` if requests cannot be sent to it."""
    if not is_http_url(value):
        raise Invalid("Enter a URL such as “https://example.com/hook”, without a username and password.")
    return value


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    allow_private: bool,
    own_hosts: Collection[str] = (),
    timeout_seconds: float,
) -> None:
    """Send a POST request, which takes at most `timeout_seconds` in all. Raises `RequestFailed`.

    For `allow_private` and `own_hosts` see `Target`.
    """
    target = Target(url=url, allow_private=allow_private, own_hosts=own_hosts)
    deadline = time.monotonic() + timeout_seconds
    try:
        with request_errors(), time_limit(timeout_seconds), closing(target.connect(deadline)) as connection:
            exchange = Exchange(connection, deadline)
            exchange.send("POST", target.parts, headers, body)
            status = exchange.read_head(ResponseBudget(MAX_HEAD_BYTES)).status_code
    except (TimeLimitExceeded, TimeoutError) as error:
        raise RequestFailed(f"no response within {timeout_seconds:g} seconds") from error
    except PrivateNetwork as error:
        raise RequestFailed(f"{error}, which CHATAPP_WEBHOOK_PRIVATE_NETWORKS does not allow") from error
    if not 200 <= status < 300:
        raise RequestFailed(f"the response has status {status}")
