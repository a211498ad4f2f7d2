"""Hosts and network addresses: those of clients as keys of limits, those in URLs, and those of this machine."""

import re
import socket
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

IPV6_PREFIX_BITS = 64
"""A provider assigns at least this network to one customer, who chooses the rest of the address freely."""

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^\s:\[\]/@]+)(?::(\d*))?", re.IGNORECASE)
"""A Host header: a name or address, and optionally a port."""


def parse_host(header: str) -> tuple[str, str] | None:
    """Return the name or address in a Host header, in lower case without a last dot, and its port, which may be empty.

    Returns None if the header is malformed.
    """
    match = _HOST.fullmatch(header)
    return None if match is None else (match[1].lower().removesuffix("."), match[2] or "")


def parse_host_name(header: str) -> str | None:
    """Return the name or address in a Host header, as `parse_host` does; None if the header is malformed."""
    host = parse_host(header)
    return None if host is None else host[0]


@lru_cache(maxsize=4_096)
def client_network(address: str) -> str:
    """Return the network that counts as one client in limits: an IPv4 address, or the /64 of an IPv6 address.

    An IPv4 address in IPv6 notation (`::ffff:192.0.2.1`) is the IPv4 address. Other text is returned as it is.
    """
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ip_network((parsed.packed, IPV6_PREFIX_BITS), strict=False))


def is_loopback(host: str) -> bool:
    """Return whether a host, an address or a name, is the loopback of the machine that uses it."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@lru_cache(maxsize=256)
def is_own_address(address: IPv4Address | IPv6Address) -> bool:
    """Return whether an address is one of this machine's."""
    if address.is_loopback:
        return True
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            # Sends nothing: the system chooses the address from which it would send, which is the same one here only.
            probe.connect((str(address), 9))
        except OSError:
            return False
        return ip_address(probe.getsockname()[0].partition("%")[0]) == address
