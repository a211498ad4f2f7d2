"""The server that a request goes to: resolved, checked and connected."""

import socket
import ssl
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from urllib.parse import SplitResult, urlsplit

from chatapp.http_client import addresses
from chatapp.limits.response_budget import ResponseTooLarge


class RequestFailed(Exception):
    """A request failed, or its response was not successful. The text is the reason, in one line."""


class PrivateNetwork(RequestFailed):
    """The host is this machine, or in a private network."""


@contextmanager
def request_errors() -> Iterator[None]:
    """Raise `RequestFailed` for the errors of a connection in the body, but for `TimeoutError`."""
    try:
        yield
    except TimeoutError:
        raise
    except ResponseTooLarge as error:
        raise RequestFailed("the head of the response is too long") from error
    except ssl.SSLCertVerificationError as error:
        raise RequestFailed("the host has no valid certificate") from error
    except OSError as error:
        raise RequestFailed(f"the connection failed ({type(error).__name__})") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A URL, and what a request to it must not do.

    Without `allow_private` it is sent neither to private networks nor to this machine or a host name in `own_hosts`. A
    name there that begins with a dot stands for a domain and all below it. `ports` are the allowed ports; None for all.
    """

    url: str
    allow_private: bool
    own_hosts: Collection[str] = ()
    ports: Collection[int] | None = None

    @property
    def parts(self) -> SplitResult:
        """The parts of the URL."""
        return urlsplit(self.url)

    @property
    def port(self) -> int:
        """The port of the URL, or that of its scheme."""
        return self.parts.port or (443 if self.parts.scheme == "https" else 80)

    def check(self) -> None:
        """Raise `RequestFailed` if the host or the port is not allowed, without resolving the name of the host."""
        if not self.allow_private and addresses.is_own_host(self.parts.hostname or "", self.own_hosts):
            raise RequestFailed("the host is this installation of chatapp itself")
        if self.ports is not None and self.port not in self.ports:
            raise RequestFailed(f"port {self.port} is not allowed")

    def connect(self, deadline: float) -> socket.socket:
        """Resolve the host, check all its addresses, and connect to one of them. `deadline` is in monotonic time.

        A certificate must be valid for the host. Raises `RequestFailed` and `OSError`.
        """
        self.check()
        address = self._resolve()
        parts, timeout = self.parts, max(deadline - time.monotonic(), 0.001)
        connection = socket.create_connection((address, self.port), timeout)
        if parts.scheme == "http":
            return connection
        try:
            return _tls_context().wrap_socket(connection, server_hostname=parts.hostname)
        except BaseException:
            connection.close()
            raise

    def _resolve(self) -> str:
        try:
            results = socket.getaddrinfo(self.parts.hostname, self.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise RequestFailed("the host was not found") from error
        found = [str(socket_address[0]) for *_, socket_address in results]
        if not self.allow_private and not all(map(addresses.is_allowed, found)):
            raise PrivateNetwork("the host is this machine or in a private network")
        return found[0]


@cache
def _tls_context() -> ssl.SSLContext:
    return ssl.create_default_context()
