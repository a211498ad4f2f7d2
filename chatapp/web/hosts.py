"""Accepted host names. A page of another site could otherwise reach this server under its own name (DNS rebinding)."""

import ipaddress
import socket
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

import structlog
from flask import Flask
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from chatapp.config import Settings
from chatapp.extensions import db
from chatapp.limits.networks import is_own_address, parse_host_name
from chatapp.models import Installation

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = structlog.get_logger(__name__)

_REFUSAL = (
    "400 Bad Request: this server does not accept requests for this host name.\n"
    "If it is a name of this installation, add it to CHATAPP_ALLOWED_HOSTS and restart chatapp.\n"
)

_MAX_WARNINGS = 20
"""Number of host names about which the log warns."""


class HostGuard:
    """WSGI middleware that refuses requests to unknown host names, for pages, the API and sockets alike.

    Without `CHATAPP_ALLOWED_HOSTS` an installation that had accounts before the check was introduced only logs a
    warning.
    """

    def __init__(
        self, app: Flask, inner: "WSGIApplication", settings: Settings, without_database: Collection[str] = ()
    ) -> None:
        self._app = app
        self._inner = inner
        self._without_database = without_database
        allowed = settings.allowed_host_names
        self._accepts_all = "*" in allowed
        self._names = allowed | _list_machine_names() | {settings.host.lower()}
        self._domains = (".localhost", *(name for name in allowed if name.startswith(".")))
        self._trusts_proxy = bool(settings.trusted_proxies) and not allowed
        self._enforces: bool | None = True if allowed else None
        """Whether unknown names are refused; None until the database has been read."""
        self._warned: set[str] = set()

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Pass a request to the application, or refuse it."""
        header = environ.get("HTTP_HOST")
        is_named_by_proxy = self._trusts_proxy and "HTTP_X_FORWARDED_HOST" in environ
        if header is None or is_named_by_proxy or self._is_known(header) or not self._refuse(header, environ):
            return self._inner(environ, start_response)
        headers = [("Content-Type", "text/plain; charset=utf-8"), ("Connection", "close")]
        start_response("400 Bad Request", headers)
        return [_REFUSAL.encode()]

    def _is_known(self, header: str) -> bool:
        name = parse_host_name(header)
        if name is None:
            return False
        if self._accepts_all or name in self._names or f".{name}".endswith(self._domains):
            return True
        try:
            return is_own_address(ipaddress.ip_address(name.strip("[]")))
        except ValueError:
            return False

    def _refuse(self, header: str, environ: "WSGIEnvironment") -> bool:
        """Return whether to refuse a request for an unknown name. Log a warning if not."""
        if self._enforces is None:
            if environ.get("PATH_INFO") in self._without_database:
                return False
            try:
                with self._app.app_context():
                    self._enforces = db.session.scalars(select(Installation.enforces_hosts)).one()
            except SQLAlchemyError:
                return False  # Only pages kept in memory are served then, and only with a cookie of the right host.
        if not self._enforces and header not in self._warned and len(self._warned) < _MAX_WARNINGS:
            self._warned.add(header)
            log.warning("unknown host name accepted: set CHATAPP_ALLOWED_HOSTS to refuse such requests", host=header)
        return self._enforces


def check_hosts(app: Flask, settings: Settings, *, without_database: Collection[str] = ()) -> None:
    """Refuse requests to unknown host names, including those to the socket server, which wraps the application.

    Requests to the paths `without_database` do not cause a query: they are accepted until another one has.
    """
    app.wsgi_app = HostGuard(app, app.wsgi_app, settings, without_database)  # type: ignore[method-assign]


def _list_machine_names() -> set[str]:
    # Without a query to DNS, which could delay the start.
    name = socket.gethostname().lower()
    short = name.partition(".")[0]
    return {"localhost", name, short, f"{short}.local"}
