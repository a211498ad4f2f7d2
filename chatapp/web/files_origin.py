"""The origin of files: a host name of its own from which browsers load what people have uploaded.

If a browser runs a file in spite of all headers, it does so in an origin without a session. The application authorizes
each request and redirects it to a URL with a signed ticket that soon expires (decision 68).
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256
from http import HTTPStatus
from typing import TYPE_CHECKING, Self
from urllib.parse import quote

from flask import Flask, Response, current_app, redirect, request
from itsdangerous import BadData, URLSafeSerializer
from werkzeug.wrappers import Response as BaseResponse

from chatapp.config import Settings, current_settings
from chatapp.errors import ChatError
from chatapp.extensions import db
from chatapp.files.attached import AttachedFile
from chatapp.limits.networks import parse_host_name
from chatapp.operation import current_operation
from chatapp.presentation.errors import RETRY_AFTER_SECONDS
from chatapp.web.downloads import parse_variant, send_file

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PREFIX = "/files/"
"""Beginning of the paths that the origin of files serves. A ticket and the name of the file follow."""

ROUTE = f"{PREFIX}<ticket>/<name>"
"""How metrics name the requests with a ticket."""

SALT = "chatapp.file-ticket"

Measure = Callable[[str, str, int, float], None]
"""Counts a request by its method, its route and the status of its response, with its seconds."""

_FOUND_TICKET = "chatapp.found_ticket"
"""Where a ticket that was read is kept in the WSGI environment: it is needed more than once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileTicket:
    """What a URL of the origin of files permits, and to which person."""

    name: str
    url: str
    """The URL of the application for this file without its name. It issues the next ticket."""
    media_type: str
    is_download: bool
    reader_id: int
    expires_at: int
    """In seconds since the epoch."""

    @property
    def digest(self) -> str:
        """The digest of the file."""
        return self.url.rpartition("/")[2]

    @property
    def seconds_left(self) -> int:
        """The seconds for which it is valid; 0 or less if it has expired."""
        return self.expires_at - int(time.time())

    @property
    def application_url(self) -> str:
        """The URL that the application has redirected."""
        return f"{self.url}/{quote(self.name, safe='')}{'?download=1' if self.is_download else ''}"

    def make_path(self, app: Flask) -> str:
        """Return the path of the origin of files that has the ticket."""
        fields = self.url, self.media_type, self.is_download, self.reader_id, self.expires_at
        return f"{PREFIX}{_serializer(app, self.name).dumps(fields)}/{quote(self.name, safe='')}"

    @classmethod
    def from_path(cls, app: Flask, path: str) -> Self | None:
        """Return the ticket in a path, which may have expired; None if this installation has not signed it."""
        text, _, name = path.removeprefix(PREFIX).partition("/")
        if not path.startswith(PREFIX):
            return None
        try:
            url, media_type, is_download, reader_id, expires_at = _serializer(app, name).loads(text)
        except BadData:
            return None
        return cls(
            name=name,
            url=url,
            media_type=media_type,
            is_download=is_download,
            reader_id=reader_id,
            expires_at=expires_at,
        )


def respond_with_file(
    file: AttachedFile, variant: str = "", *, is_download: bool = False, reader_id: int
) -> BaseResponse:
    """Respond with a stored file that a person may read, or with a redirect to it on the origin of files.

    Thumbnails have no other origin: a worker process has made them. Raises what `send_file` does.
    """
    settings = current_settings()
    if variant or not settings.files_origin:
        return send_file(file, variant, is_download=is_download)
    db.session.remove()
    ticket = FileTicket(
        name=file.name,
        url=request.base_url.rpartition("/")[0],
        media_type=file.media_type,
        is_download=is_download,
        reader_id=reader_id,
        expires_at=choose_expiry(settings.files_url_seconds, int(time.time())),
    )
    response = redirect(settings.files_origin + ticket.make_path(current_app))
    # Each request is authorized anew.
    response.headers["Cache-Control"] = "private, no-store"
    return response


def respond_with_requested(file: AttachedFile, *, reader_id: int) -> BaseResponse:
    """Respond with what the URL of a stored file names: with `size` a thumbnail; with `download` browsers save it.

    Raises `Invalid`, and what `send_file` does.
    """
    variant = parse_variant(request.args.get("size", ""))
    return respond_with_file(file, variant, is_download="download" in request.args, reader_id=reader_id)


def choose_expiry(max_seconds: int, now: int) -> int:
    """Return a time that is `max_seconds` after `now` at most, and half of that at least, in seconds.

    It is the same for half of that time, so that the URL is too, and browsers find the file in their caches.
    """
    step = max_seconds // 2
    return (now // step + 2) * step


class FilesOrigin:
    """WSGI middleware that serves the origin of files: files for a valid ticket, and nothing else.

    Requests to it reach neither the application nor the socket server. Their cookies are neither read nor set.
    """

    def __init__(self, app: Flask, inner: "WSGIApplication", settings: Settings, measure: Measure) -> None:
        self._app = app
        self._inner = inner
        self._measure = measure
        self._host_name = settings.files_host_name

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Serve a request to the origin of files; pass others on."""
        if not self.is_requested(environ):
            return self._inner(environ, start_response)
        current_operation.set("files origin")
        for name in ("HTTP_COOKIE", "HTTP_AUTHORIZATION"):
            environ.pop(name, None)
        started = time.perf_counter()
        with self._app.request_context(environ):
            ticket = self._find_ticket(environ) if request.method in {"GET", "HEAD"} else None
            response = _respond(ticket)
            self._measure(request.method, ROUTE if ticket else "", response.status_code, time.perf_counter() - started)
            return response(environ, start_response)

    def is_requested(self, environ: "WSGIEnvironment") -> bool:
        """Return whether a request is one to the origin of files. Another port makes no difference, as for cookies."""
        name = parse_host_name(environ.get("HTTP_HOST", ""))
        return name is not None and name.strip("[]") == self._host_name

    def find_reader(self, environ: "WSGIEnvironment") -> int | None:
        """Return the id of the person to whom the ticket of a request was issued; None without a valid ticket."""
        ticket = self._find_ticket(environ)
        return None if ticket is None or ticket.seconds_left <= 0 else ticket.reader_id

    def _find_ticket(self, environ: "WSGIEnvironment") -> FileTicket | None:
        if _FOUND_TICKET not in environ:
            # WSGI has the bytes of the path as characters.
            path = environ.get("PATH_INFO", "").encode("latin-1").decode(errors="replace")
            environ[_FOUND_TICKET] = FileTicket.from_path(self._app, path)
        ticket: FileTicket | None = environ[_FOUND_TICKET]
        return ticket


def _respond(ticket: FileTicket | None) -> BaseResponse:
    if ticket is None:
        return Response("404 Not Found\n", HTTPStatus.NOT_FOUND, mimetype="text/plain")
    seconds = ticket.seconds_left
    if seconds <= 0:
        # To the application, which decides again: a tab with a file can be reloaded.
        return redirect(ticket.application_url)
    try:
        response = send_file(ticket, is_download=ticket.is_download)
    except ChatError as error:
        response = Response(f"{error.message}\n", error.status, mimetype="text/plain")
        if error.status == HTTPStatus.SERVICE_UNAVAILABLE:
            response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
        return response
    # Pages of the application show it. The URL is of no use after it has expired.
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    response.headers["Cache-Control"] = f"private, max-age={seconds}"
    return response


def _serializer(app: Flask, name: str) -> URLSafeSerializer:
    # The name is signed as a part of the salt: it would take the most room in a ticket, and follows it anyway.
    options = {"key_derivation": "hmac", "digest_method": sha256}
    return URLSafeSerializer(str(app.secret_key), f"{SALT} {name}", signer_kwargs=options)
