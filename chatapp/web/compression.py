"""Pages compressed with gzip. docs/decisions/0038-compressed-pages.md has the measurements."""

import secrets
import struct
import zlib

from flask import Flask, Response, request

from chatapp.concurrency.cooperation import checkpoint
from chatapp.config import Settings
from chatapp.web.csrf import renew_csrf_tokens

MIN_BYTES = 1_000
"""Smaller pages fit into one packet anyway."""

LEVEL = 1
"""Higher levels save a tenth of the bytes for twice the time."""

CHUNK_BYTES = 100_000
"""What is compressed at once, in less than a millisecond: a page may have megabytes."""

MAX_PADDING = 100
"""Upper limit of the random number of bytes that are added, so that sizes reveal little (BREACH)."""


def init_compression(app: Flask, settings: Settings) -> None:
    """Compress pages for clients that accept it. To be called before functions that change responses are registered."""
    if settings.compress_pages:
        app.after_request(_compress)


def _compress(response: Response) -> Response:
    if response.mimetype != "text/html" or response.is_streamed or "Content-Encoding" in response.headers:
        return response
    response.vary.add("Accept-Encoding")
    page = response.get_data()
    if request.method != "GET" or len(page) < MIN_BYTES or not request.accept_encodings["gzip"]:
        return response
    response.set_data(gzip(renew_csrf_tokens(page)))
    response.headers["Content-Encoding"] = "gzip"
    etag, _ = response.get_etag()
    if etag is not None:
        response.set_etag(etag, weak=True)  # Equal pages, but not the same bytes.
    return response


def gzip(page: bytes) -> bytes:
    """Compress a page, with a file name of random length in the header, which browsers ignore."""
    padding = b"x" * secrets.randbelow(MAX_PADDING)
    parts = [b"\x1f\x8b\x08\x08\x00\x00\x00\x00\x04\xff", padding, b"\x00"]  # RFC 1952: FNAME, no time, fastest, no OS.
    compressor = zlib.compressobj(LEVEL, wbits=-zlib.MAX_WBITS)
    for start in range(0, len(page), CHUNK_BYTES):
        parts.append(compressor.compress(page[start : start + CHUNK_BYTES]))
        checkpoint()
    parts.append(compressor.flush())
    parts.append(struct.pack("<II", zlib.crc32(page), len(page) & 0xFFFFFFFF))
    return b"".join(parts)
