"""The networks that limits count as one client, Host headers, and the addresses of this machine."""

from ipaddress import ip_address

import pytest

from chatapp.limits.networks import client_network, is_own_address, parse_host, parse_host_name


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("", ""),
        ("unix", "unix"),
    ],
)
def test_an_ipv6_network_of_64_bits_counts_as_one_client(address: str, network: str) -> None:
    assert client_network(address) == network


@pytest.mark.parametrize(
    ("address", "is_own"), [("127.0.0.1", True), ("127.1.2.3", True), ("::1", True), ("192.0.2.7", False)]
)
def test_the_addresses_of_this_machine_are_known(address: str, is_own: bool) -> None:
    assert is_own_address(ip_address(address)) is is_own


@pytest.mark.parametrize(
    ("header", "host"),
    [
        ("Chat.example.org", ("chat.example.org", "")),
        ("chat.example.org.:8443", ("chat.example.org", "8443")),
        ("chat.example.org:", ("chat.example.org", "")),
        ("[2001:DB8::1]:80", ("[2001:db8::1]", "80")),
        ("[::1", None),
        ("a b", None),
        ("user@chat.example.org", None),
        ("chat.example.org:x", None),
        ("", None),
    ],
)
def test_a_host_header_has_a_name_and_maybe_a_port(header: str, host: tuple[str, str] | None) -> None:
    assert parse_host(header) == host
    assert parse_host_name(header) == (host[0] if host else None)
