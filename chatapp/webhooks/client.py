"""HTTP requests to URLs that users entered, protected against server-side request forgery (SSRF).

No library does this well. The host name is resolved once, all of its addresses are checked, and the connection goes to
an address that was checked: a later, different DNS response has no effect. Redirects are not followed.
"""

import ipaddress
import socket
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

import urllib3

from chatapp.errors import Invalid

TIMEOUT = urllib3.Timeout(connect=3, read=5, total=8)
"""Time limits of a request in seconds."""

# IPv6 networks that embed IPv4 addresses. `ipaddress` does not look at the embedded address.
TRANSITION_NETWORKS = [
    ipaddress.ip_network(network) for network in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")
]


class DeliveryFailed(Exception):
    """A request failed, or its response was not successful. The text is the reason, in one line."""


def check_url(value: str) -> str:
    """Return the URL unchanged. Raises `Invalid` if requests cannot be sent to it."""
    try:
        parts = urlsplit(value)
        is_valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_valid = False
    if not is_valid or parts.username is not None or not value.isascii() or not value.isprintable() or " " in value:
        raise Invalid("Enter a URL such as “https://example.com/hook”, without a username and password.")
    return value


def is_public(address: str) -> bool:
    """Return whether an IP address is reachable from the whole internet, and not private or local."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return is_public(str(ip.ipv4_mapped))
        if any(ip in network for network in TRANSITION_NETWORKS):
            return False
    return ip.is_global and not ip.is_multicast


def post(url: str, body: bytes, headers: Mapping[str, str], *, allow_private: bool) -> None:
    """Send a POST request. Raises `DeliveryFailed`."""
    parts = urlsplit(url)
    pool = _make_pool(parts, _resolve(parts, allow_private=allow_private))
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        response = pool.urlopen(
            "POST",
            target,
            body=body,
            headers={**headers, "Host": parts.netloc},
            redirect=False,
            retries=False,
            preload_content=False,
        )
        response.close()
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise DeliveryFailed(f"{type(error).__name__}: no response in time") from error
    finally:
        pool.close()
    if not 200 <= response.status < 300:
        raise DeliveryFailed(f"the response has status {response.status}")


def _get_port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


def _resolve(parts: SplitResult, *, allow_private: bool) -> str:
    try:
        results = socket.getaddrinfo(parts.hostname, _get_port(parts), type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise DeliveryFailed("the host was not found") from error
    addresses = [str(socket_address[0]) for *_, socket_address in results]
    if not allow_private and not all(map(is_public, addresses)):
        raise DeliveryFailed("the host is in a private network, which CHATAPP_WEBHOOK_PRIVATE_NETWORKS does not allow")
    return addresses[0]


def _make_pool(parts: SplitResult, address: str) -> urllib3.HTTPConnectionPool:
    if parts.scheme == "http":
        return urllib3.HTTPConnectionPool(address, _get_port(parts), timeout=TIMEOUT)
    return urllib3.HTTPSConnectionPool(
        address, _get_port(parts), timeout=TIMEOUT, server_hostname=parts.hostname, assert_hostname=parts.hostname
    )
