"""Requests to addresses that people have typed in.

No library guards these well. A name is resolved once, every address that it has is looked at, and the connection goes
to one that was looked at: a name that answers otherwise the next time leads nowhere. Redirects are not followed.
"""

import ipaddress
import socket
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

import urllib3

from chatapp.errors import Invalid

TIMEOUT = urllib3.Timeout(connect=3, read=5, total=8)

# Ways to write an IPv4 address as an IPv6 one; what they lead to is not seen in them.
TUNNELS = [ipaddress.ip_network(each) for each in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")]


class Undelivered(Exception):
    """The request did not arrive, or was not answered with success. Its text says why, in one line."""


def check_url(value: str) -> str:
    """Give the address. Raises `Invalid` when it is none that something can be sent to."""
    try:
        parts = urlsplit(value)
        is_good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_good = False
    if not is_good or parts.username is not None or not value.isascii() or not value.isprintable() or " " in value:
        raise Invalid("The address must be like “https://example.com/hook”, without a name and password in it.")
    return value


def is_public(address: str) -> bool:
    """Tell whether an IP address belongs to the internet at large, and to nothing near this machine."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return is_public(str(ip.ipv4_mapped))
        if any(ip in tunnel for tunnel in TUNNELS):
            return False
    return ip.is_global and not ip.is_multicast


def post(url: str, body: bytes, headers: Mapping[str, str], *, allows_private: bool) -> None:
    """Send `body` to an address. Raises `Undelivered`."""
    parts = urlsplit(url)
    address = _resolve(parts, allows_private=allows_private)
    pool = _connect(parts, address)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        answer = pool.urlopen(
            "POST",
            target,
            body=body,
            headers={**headers, "Host": parts.netloc},
            redirect=False,
            retries=False,
            preload_content=False,
        )
        answer.close()
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise Undelivered(f"{type(error).__name__}: it did not answer in time, or not at all") from error
    finally:
        pool.close()
    if not 200 <= answer.status < 300:
        raise Undelivered(f"it answered {answer.status}")


def _port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


def _resolve(parts: SplitResult, *, allows_private: bool) -> str:
    try:
        found = socket.getaddrinfo(parts.hostname, _port(parts), type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Undelivered("there is no such host") from error
    addresses = [str(each[4][0]) for each in found]
    if not allows_private and not all(map(is_public, addresses)):
        raise Undelivered("it lies in a private network, and CHATAPP_WEBHOOK_PRIVATE_NETWORKS does not allow that")
    return addresses[0]


def _connect(parts: SplitResult, address: str) -> urllib3.HTTPConnectionPool:
    if parts.scheme == "http":
        return urllib3.HTTPConnectionPool(address, _port(parts), timeout=TIMEOUT)
    return urllib3.HTTPSConnectionPool(
        address, _port(parts), timeout=TIMEOUT, server_hostname=parts.hostname, assert_hostname=parts.hostname
    )
