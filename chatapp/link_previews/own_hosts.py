"""The hosts by which people reach this installation. Its own pages have no previews: requests would have to sign in."""

from collections import OrderedDict
from urllib.parse import urlsplit

from flask import Flask

from chatapp.limits.networks import parse_host

EXTENSION = "chatapp.own_hosts"
"""Key of the application's `OwnHosts` in `app.extensions`."""

MAX_HOSTS = 20


class OwnHosts:
    """The Host headers of the last requests of people who are signed in."""

    def __init__(self) -> None:
        self._hosts: OrderedDict[tuple[str, str], None] = OrderedDict()

    def add(self, header: str) -> None:
        """Add the host of a request. Of many, the one is forgotten that was not requested for the longest time."""
        host = _normalize(header)
        if host is None:
            return
        self._hosts[host] = None
        self._hosts.move_to_end(host)
        if len(self._hosts) > MAX_HOSTS:
            self._hosts.popitem(last=False)

    def has_page(self, url: str) -> bool:
        """Return whether a page is on one of the hosts."""
        return _normalize(urlsplit(url).netloc) in self._hosts


def get_own_hosts(app: Flask) -> OwnHosts:
    """Return the hosts of an application."""
    hosts: OwnHosts = app.extensions.setdefault(EXTENSION, OwnHosts())
    return hosts


def _normalize(netloc: str) -> tuple[str, str] | None:
    """Return the host and the port, which is empty for those of HTTP and HTTPS; None if it is malformed."""
    host = parse_host(netloc)
    return None if host is None else (host[0], "" if host[1] in {"80", "443"} else host[1])
