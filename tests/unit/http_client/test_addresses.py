"""Spellings of a URL that lead to the same host."""

import pytest

from chatapp.http_client import canonicalize_url


@pytest.mark.parametrize(
    "url",
    [
        *("https://a.com/x", "HTTPS://A.com/x", "https://a.com./x", "https://a.com:443/x", "https://A.COM.:443/x#part"),
    ],
)
def test_a_host_has_one_spelling(url: str) -> None:
    assert canonicalize_url(url) == "https://a.com/x"


@pytest.mark.parametrize(
    ("url", "canonical"),
    [
        ("http://a.com:80?q=A", "http://a.com?q=A"),
        ("http://a.com:443/", "http://a.com:443/"),
        ("https://a.com.:8443/", "https://a.com:8443/"),
        ("https://XN--4ca.com/", "https://xn--4ca.com/"),
        ("http://0x7f.1/", "http://127.0.0.1/"),
        ("http://2130706433/", "http://127.0.0.1/"),
        ("http://0177.0.0.1:8080/", "http://127.0.0.1:8080/"),
        ("http://[0:0::1]:80/", "http://[::1]/"),
        ("http://[::FFFF:10.0.0.1]:8080/", "http://[::ffff:a00:1]:8080/"),
        ("http://[v1.a]/", "http://[v1.a]/"),
        ("http://1.2.3.4.5/", "http://1.2.3.4.5/"),
    ],
)
def test_addresses_and_ports_have_one_spelling(url: str, canonical: str) -> None:
    assert canonicalize_url(url) == canonical
    assert canonicalize_url(canonical) == canonical
