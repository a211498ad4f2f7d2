"""Network addresses of clients as keys of limits."""

from ipaddress import IPv6Address, ip_address, ip_network

IPV6_PREFIX_BITS = 64
"""A provider assigns at least this network to one customer, who chooses the rest of the address freely."""


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
