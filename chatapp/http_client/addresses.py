"""Which URLs and IP addresses requests may be sent to."""

import ipaddress
import socket
from collections.abc import Collection
from urllib.parse import urlsplit

from chatapp.limits.networks import is_own_address

# Networks that `ipaddress` counts as global. The first line: IPv6 networks that embed IPv4 addresses, which it does not
# look at. The second line: deprecated networks, of site-local addresses and of 6to4 relays.
SPECIAL_NETWORKS = [
    ipaddress.ip_network(network)
    for network in (
        *("::/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "2001::/32", "2002::/16"),
        *("fec0::/10", "192.88.99.0/24"),
    )
]


DEFAULT_PORTS = {"http": 80, "https": 443}


def is_http_url(value: str) -> bool:
    """Return whether a text is a URL of HTTP in ASCII, without a username and password."""
    try:
        parts = urlsplit(value)
        is_valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return is_valid and parts.username is None and value.isascii() and value.isprintable() and " " not in value


def canonicalize_url(url: str) -> str:
    """Return a URL of HTTP with one spelling of its host, and without its fragment.

    A name is in small letters and has no last dot, an address has its usual form (`127.0.0.1` for `0x7f.1`), and the
    port of the scheme is omitted.
    """
    parts = urlsplit(url)
    host = _canonicalize_host(parts.hostname or "")
    if "[" in parts.netloc:
        host = f"[{host}]"
    has_port = parts.port not in {None, DEFAULT_PORTS.get(parts.scheme)}
    return parts._replace(netloc=f"{host}:{parts.port}" if has_port else host, fragment="").geturl()


def _canonicalize_host(host: str) -> str:
    host = host.removesuffix(".")
    try:
        if ":" in host:
            return str(ipaddress.IPv6Address(host))
        # Also takes what the resolver of names takes: fewer than four numbers, hexadecimal and octal ones.
        return socket.inet_ntoa(socket.inet_aton(host))
    except (OSError, ValueError):
        return host


def is_public(address: str) -> bool:
    """Return whether an IP address is reachable from the whole internet, and not private or local."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        return is_public(str(ip.ipv4_mapped))
    if any(ip in network for network in SPECIAL_NETWORKS):
        return False
    return ip.is_global and not ip.is_multicast


def is_allowed(address: str) -> bool:
    """Return whether an address is public, and none of this machine."""
    return is_public(address) and not is_own_address(ipaddress.ip_address(address))


def is_own_host(host: str, own_hosts: Collection[str]) -> bool:
    """Return whether a host name is in `own_hosts`. A name there that begins with a dot stands for a whole domain."""
    host = host.removesuffix(".")
    return host in own_hosts or f".{host}".endswith(tuple(name for name in own_hosts if name.startswith(".")))
