"""What all attacks have: the plan of one run, its outcome, and the client of each thread."""

import http.client
import random
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field
from http import HTTPStatus
from urllib.parse import urlsplit

import requests

from bench.installation import Installation
from tests.harness.abuse import RawSocket
from tests.harness.html import find_csrf_token
from tests.harness.people import Person

RETRY_SECONDS = 0.2
"""Pause of an attacker that was refused: less than the server asks for."""

TIMEOUT_SECONDS = 10.0


@dataclass
class Plan:
    """A run of an attack, with the cookies and the addresses that its threads use in turn."""

    attack: str
    url: str
    cookies: Sequence[str]
    addresses: Sequence[str]
    seconds: float
    threads: int
    paths: Sequence[str] = ()
    """What `Attack.prepare` has returned."""
    packets: int | None = None
    """Number of fuzzed packets after which the attack ends, if that is before `seconds` are over."""
    events: int = 20
    """Well-formed events between two malformed ones, in an attack with fuzzed packets."""


@dataclass
class Outcome:
    """The connections and packets of an attack, or its HTTP requests."""

    opened: int = 0
    """Connections or requests that the server accepted."""
    closed: int = 0
    """Accepted connections that the server closed."""
    refused: int = 0
    """Connections or requests that the server refused."""
    handled: int = 0
    """Fuzzed packets that the server has certainly processed."""
    silent: int = 0
    """Fuzzed events that the server should have acknowledged and did not."""

    @classmethod
    def sum(cls, outcomes: "Sequence[Outcome]") -> "Outcome":
        """Return the sums of several outcomes."""
        return cls(*(sum(column) for column in zip(*map(astuple, outcomes), strict=True)))


@dataclass
class Client:
    """One thread of the attacker."""

    plan: Plan
    number: int
    until: float
    outcome: Outcome = field(default_factory=Outcome)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.number)
        self.cookie = self.plan.cookies[self.number % len(self.plan.cookies)] if self.plan.cookies else ""
        self.address = self.plan.addresses[self.number % len(self.plan.addresses)]
        parts = urlsplit(self.plan.url)
        assert parts.hostname is not None
        assert parts.port is not None
        self.server = parts.hostname, parts.port
        self._http: http.client.HTTPConnection | None = None

    @property
    def seconds_left(self) -> float:
        """The time until the attack ends."""
        return self.until - time.monotonic()

    def connect(self) -> socket.socket:
        """Open a TCP connection."""
        return socket.create_connection(self.server, TIMEOUT_SECONDS, source_address=(self.address, 0))

    def connect_socket(self, timeout: float = TIMEOUT_SECONDS) -> RawSocket:
        """Open a socket with the cookie of this client."""
        connection = RawSocket.connect(self.plan.url, self.cookie, address=self.address, timeout=timeout)
        self.outcome.opened += 1
        return connection

    def head(self, method: str, path: str, **headers: str | int) -> bytes:
        """Return the header of a request."""
        fields = {"Host": self.server[0]} | ({"Cookie": self.cookie} if self.cookie else {}) | headers
        lines = [f"{method} {path} HTTP/1.1", *(f"{name.replace('_', '-')}: {value}" for name, value in fields.items())]
        return "\r\n".join([*lines, "", ""]).encode()

    def open_form(self, path: str) -> tuple[str, str]:
        """Request a page with a form, and return its CSRF token and the cookies to submit it with."""
        page = requests.get(self.plan.url + path, headers={"Cookie": self.cookie}, timeout=TIMEOUT_SECONDS)
        return find_csrf_token(page.text), "; ".join(f"{name}={value}" for name, value in page.cookies.items())

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        """Send a request over a connection that stays open, read the response, and count it."""
        self._http = self._http or http.client.HTTPConnection(
            *self.server, timeout=30, source_address=(self.address, 0)
        )
        try:
            self._http.request(method, path, body, {"Cookie": self.cookie, **(headers or {})})
            response = self._http.getresponse()
            response.read()
        except (OSError, http.client.HTTPException):
            self._http.close()
            self.outcome.refused += 1
            return
        is_refused = response.status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}
        self.outcome.refused += is_refused
        self.outcome.opened += not is_refused


class Attack:
    """One kind of attack."""

    threads = 4
    accounts = 1
    """Accounts with a login session, which the threads use in turn."""

    def prepare(self, _target: Installation, _attackers: Sequence[Person]) -> Sequence[str]:
        """Create what the attack uses, once, and return the paths of its requests."""
        return ()

    def run(self, client: Client) -> None:
        """Attack until no time is left. Each thread calls it once."""
        raise NotImplementedError
