"""HTTP requests to URLs that users entered, protected against server-side request forgery (SSRF).

No library does this well. The host name is resolved once, all of its addresses are checked, and the connection goes to
an address that was checked: a later, different DNS response has no effect. Redirects are not followed, and only the
head of the response is read.
"""

import ipaddress
import socket
import ssl
from collections.abc import Collection, Mapping
from contextlib import closing
from functools import cache
from urllib.parse import SplitResult, urlsplit

from chatapp.concurrency.native import TimeLimitExceeded, time_limit
from chatapp.errors import Invalid
from chatapp.limits.networks import is_own_address
from chatapp.limits.response_budget import MAX_HEAD_BYTES, ResponseBudget, ResponseTooLarge

MAX_INFORMATIONAL_RESPONSES = 10
"""Maximum number of informational responses (status 1xx) before the response."""

# Networks that `ipaddress` counts as global. The first line: IPv6 networks that embed IPv4 addresses, which it does not
# look at. The second line: deprecated networks, of site-local addresses and of 6to4 relays.
SPECIAL_NETWORKS = [
    ipaddress.ip_network(network)
    for network in (
        *("::/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "2001::/32", "2002::/16"),
        *("fec0::/10", "192.88.99.0/24"),
    )
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
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        return is_public(str(ip.ipv4_mapped))
    if any(ip in network for network in SPECIAL_NETWORKS):
        return False
    return ip.is_global and not ip.is_multicast


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    allow_private: bool,
    own_hosts: Collection[str] = (),
    timeout_seconds: float,
) -> None:
    """Send a POST request, which takes at most `timeout_seconds` in all. Raises `DeliveryFailed`.

    Without `allow_private` it is sent neither to private networks nor to this machine or a host name in `own_hosts`. A
    name there that begins with a dot stands for a domain and all below it.
    """
    parts = urlsplit(url)
    if not allow_private and _is_own_host((parts.hostname or "").removesuffix("."), own_hosts):
        raise DeliveryFailed("the host is this installation of chatapp itself")
    try:
        with time_limit(timeout_seconds):
            address = _resolve(parts, allow_private=allow_private)
            with closing(_connect(parts, address, timeout_seconds)) as connection:
                status = _exchange(connection, parts, body, headers)
    except TimeLimitExceeded as error:
        raise DeliveryFailed(f"no response within {timeout_seconds:g} seconds") from error
    except ResponseTooLarge as error:
        raise DeliveryFailed("the head of the response is too long") from error
    except ssl.SSLCertVerificationError as error:
        raise DeliveryFailed("the host has no valid certificate") from error
    except OSError as error:
        raise DeliveryFailed(f"the connection failed ({type(error).__name__})") from error
    if not 200 <= status < 300:
        raise DeliveryFailed(f"the response has status {status}")


def _is_own_host(host: str, own_hosts: Collection[str]) -> bool:
    return host in own_hosts or f".{host}".endswith(tuple(name for name in own_hosts if name.startswith(".")))


def _exchange(connection: socket.socket, parts: SplitResult, body: bytes, headers: Mapping[str, str]) -> int:
    """Send the request and return the status of the response, whose body is not read."""
    import h11  # The first delivery imports it, not the start.

    http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    sent = {"Host": parts.netloc, "Content-Length": str(len(body)), "Connection": "close", **headers}
    events = h11.Request(method="POST", target=target, headers=[*sent.items()]), h11.Data(body), h11.EndOfMessage()
    connection.sendall(b"".join(http.send(event) or b"" for event in events))
    budget, informational_responses = ResponseBudget(MAX_HEAD_BYTES), 0
    try:
        while not isinstance(event := http.next_event(), h11.Response):
            if event is h11.NEED_DATA:
                http.receive_data(budget.read(connection.recv))
            elif isinstance(event, h11.InformationalResponse):
                informational_responses += 1
                if informational_responses > MAX_INFORMATIONAL_RESPONSES:
                    raise DeliveryFailed("too many informational responses")
    except h11.RemoteProtocolError as error:
        raise DeliveryFailed("the response is not valid HTTP") from error
    return event.status_code


def _get_port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


def _resolve(parts: SplitResult, *, allow_private: bool) -> str:
    try:
        results = socket.getaddrinfo(parts.hostname, _get_port(parts), type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise DeliveryFailed("the host was not found") from error
    addresses = [str(socket_address[0]) for *_, socket_address in results]
    if not allow_private and not all(map(_is_allowed, addresses)):
        raise DeliveryFailed(
            "the host is this machine or in a private network, which CHATAPP_WEBHOOK_PRIVATE_NETWORKS does not allow"
        )
    return addresses[0]


def _is_allowed(address: str) -> bool:
    """Return whether an address is public, and none of this machine."""
    return is_public(address) and not is_own_address(ipaddress.ip_address(address))


def _connect(parts: SplitResult, address: str, timeout_seconds: float) -> socket.socket:
    """Connect to an address of the host. A certificate must be valid for the host."""
    connection = socket.create_connection((address, _get_port(parts)), timeout_seconds)
    if parts.scheme == "http":
        return connection
    try:
        return _tls_context().wrap_socket(connection, server_hostname=parts.hostname)
    except BaseException:
        connection.close()
        raise


@cache
def _tls_context() -> ssl.SSLContext:
    return ssl.create_default_context()
