"""Responses with stored files: streamed in pieces, resumable, and never run by a browser.

A piece is read on a native thread and sent before the next one is read. No database connection is held meanwhile.
"""

import re
import unicodedata
from collections.abc import Iterator
from http import HTTPStatus
from typing import Protocol
from urllib.parse import quote

import structlog
from flask import Response, request
from werkzeug.datastructures import ContentRange

from chatapp.concurrency.native import NativePool, current_pools
from chatapp.encryption.streams import Undecryptable
from chatapp.errors import Internal, Invalid, NotFound, Unavailable
from chatapp.extensions import db
from chatapp.files.store import VARIANTS, StoredFile, StoreUnavailable, current_store
from chatapp.models.files import THUMBNAILS

log = structlog.get_logger(__name__)

PIECE_BYTES = 262_144
"""How much of a file is in memory at a time; a multiple of what is encrypted together."""

THUMBNAIL_TYPE = "image/webp"

IMAGE_TYPES = frozenset({"image/avif", "image/gif", "image/jpeg", "image/png", "image/webp"})

PLAYED_TYPES = frozenset(
    {
        "application/pdf",
        "audio/aac",
        "audio/flac",
        "audio/mp4",
        "audio/mpeg",
        "audio/ogg",
        "audio/wav",
        "audio/webm",
        "audio/x-m4a",
        "audio/x-wav",
        "video/mp4",
        "video/ogg",
        "video/quicktime",
        "video/webm",
    }
)
"""Types that browsers show with a player or a viewer of their own."""

CACHE_CONTROL = "private, max-age=31536000, immutable"
"""A URL has the digest of the content, which therefore never changes. Shared caches do not know who may read it."""

CONTENT_POLICY = "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'"
"""For the documents that browsers make of pictures, audio and video. Only these have styles."""

SANDBOX_POLICY = f"{CONTENT_POLICY}; sandbox"
"""For all that needs no player: not even a script of the browser runs there."""

PLAIN_TEXT = "text/plain; charset=utf-8"
BYTES = "application/octet-stream"

_ACTIVE = re.compile(r"html|svg|script|[/+]xml|xslt?\b|flash", re.ASCII)
"""Types that a browser or a program may run."""

_TYPE = re.compile(r"(application|audio|font|image|model|video)/[a-z0-9][a-z0-9.+-]{0,80}", re.ASCII)


class Downloadable(Protocol):
    """What a response needs to know of a stored file."""

    @property
    def digest(self) -> str:
        """The SHA-256 of its content."""

    @property
    def name(self) -> str:
        """The name under which browsers save it."""

    @property
    def media_type(self) -> str:
        """The type that its content has."""


def parse_variant(size: str) -> str:
    """Return the variant of a file that a URL names; empty for the file itself. Raises `Invalid`."""
    if size not in VARIANTS:
        raise Invalid(f"size must be one of {', '.join(THUMBNAILS)}.")
    return size


def send_file(file: Downloadable, variant: str = "", *, is_download: bool = False) -> Response:
    """Return the response with a stored file, or with a thumbnail of it. It gives the database connection back.

    With `is_download` browsers save it, also if they could show it. Raises `NotFound` if it is not stored, and
    `Internal` if it is damaged.
    """
    db.session.remove()
    response = _respond_unchanged(file, variant) or _open(file, variant, is_download=is_download)
    response.headers["Cache-Control"] = CACHE_CONTROL
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    response.set_etag(_etag(file, variant))
    return response


def _respond_unchanged(file: Downloadable, variant: str) -> Response | None:
    """Return the response for a browser that has the file already."""
    if request.if_none_match.contains_weak(_etag(file, variant)):
        return Response(status=HTTPStatus.NOT_MODIFIED)
    return None


def _open(file: Downloadable, variant: str, *, is_download: bool) -> Response:
    pool, store = current_pools().files, current_store()
    try:
        stored = pool.run(store.open, file.digest, variant)
    except FileNotFoundError:
        raise NotFound("This file does not exist any more.") from None
    except StoreUnavailable as error:
        log.warning("a file in the bucket cannot be read", digest=file.digest, reason=str(error))
        raise Unavailable("This file cannot be loaded at the moment. Try again later.") from None
    except (OSError, Undecryptable) as error:
        log.exception("a stored file cannot be read", digest=file.digest, variant=variant)
        raise Internal("This file cannot be read. Ask an admin.") from error
    part = _find_part(stored.size, _etag(file, variant))
    if part is None:
        stored.close()
        response = Response(status=HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
        response.headers["Content-Range"] = f"bytes */{stored.size}"
        return response
    response = Response(_read(pool, stored, file.digest, part))
    response.call_on_close(stored.close)
    response.content_length = len(part)
    response.headers["Accept-Ranges"] = "bytes"
    if len(part) != stored.size:
        response.status_code = HTTPStatus.PARTIAL_CONTENT
        response.headers["Content-Range"] = ContentRange("bytes", part.start, part.stop, stored.size).to_header()
    _describe(response, file, variant, is_download=is_download)
    return response


def _find_part(size: int, etag: str) -> range | None:
    """Return the bytes that the request is for: all, or one range of them; None if that is not satisfiable.

    A range of another version, and several ranges at once, are answered with the whole file, as HTTP permits.
    """
    whole, requested = range(size), request.range
    if request.method != "GET" or requested is None or requested.units != "bytes" or len(requested.ranges) != 1:
        return whole
    if request.headers.get("If-Range", f'"{etag}"') != f'"{etag}"':
        return whole
    begin, _ = requested.ranges[0]
    if -begin > size > 0:
        return whole  # The last bytes of a file that has not so many: all of it, says HTTP, but not the library.
    found = requested.range_for_length(size)
    return None if found is None else range(*found)


def _read(pool: NativePool, stored: StoredFile, digest: str, part: range) -> Iterator[bytes]:
    position = part.start
    while position < part.stop:
        length = min(PIECE_BYTES - position % PIECE_BYTES, part.stop - position)
        try:
            piece = pool.run(stored.read, position, length)
            if len(piece) != length:
                raise OSError("the file is shorter than it was")
        except (OSError, Undecryptable):
            # The connection ends before the promised length, so the client knows.
            log.exception("a stored file cannot be read", digest=digest)
            raise
        yield piece
        position += length


def _describe(response: Response, file: Downloadable, variant: str, *, is_download: bool) -> None:
    """Set the headers that decide what a browser does with the content."""
    media_type = THUMBNAIL_TYPE if variant else file.media_type
    is_shown = media_type in IMAGE_TYPES or media_type in PLAYED_TYPES
    response.headers["Content-Type"] = media_type if is_shown else _type_of_attachment(media_type)
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Security-Policy"] = CONTENT_POLICY if media_type in PLAYED_TYPES else SANDBOX_POLICY
    disposition = "inline" if is_shown and not is_download else "attachment"
    response.headers.set("Content-Disposition", disposition, **_file_names(file.name))


def _type_of_attachment(media_type: str) -> str:
    if media_type.startswith("text/"):
        return PLAIN_TEXT
    return media_type if _TYPE.fullmatch(media_type) and not _ACTIVE.search(media_type) else BYTES


def _file_names(name: str) -> dict[str, str]:
    """Return the parameters of `Content-Disposition` for a name (RFC 6266), which saves nothing outside of a folder."""
    name = _without_folders("".join(each for each in name if unicodedata.category(each) != "Cc"))
    # A full-width slash becomes a slash.
    plain = _without_folders(unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode())
    if plain == name:
        return {"filename": name}
    return {"filename": plain, "filename*": f"UTF-8''{quote(name, safe='')}"}


def _without_folders(name: str) -> str:
    return name.replace("/", "_").replace("\\", "_")


def _etag(file: Downloadable, variant: str) -> str:
    return f"{file.digest}-{variant}" if variant else file.digest
