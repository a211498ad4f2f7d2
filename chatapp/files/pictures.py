"""Pictures of web pages, for previews of links: fetched, inspected as uploads are, and stored as WebP."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import structlog

from chatapp.concurrency.native import current_pools
from chatapp.config import current_settings
from chatapp.durability import make_folder
from chatapp.errors import ChatError
from chatapp.files.inspection import Inspection, inspect
from chatapp.files.store import add_file, current_store
from chatapp.files.upload_folder import WORK_SUFFIX
from chatapp.files.uploads import MB, check_space

log = structlog.get_logger(__name__)

MIN_SIDE = 32
"""Smaller pictures are spacers and icons."""

VARIANT = "small"
"""The thumbnail that pages show."""

MEDIA_TYPE = "image/webp"

NAME = "preview.webp"

MAX_BYTES = 5 * MB

Request = Callable[[str, str], Mapping[str, Any]]
"""Fetches the picture of a URL into the file of a path, and returns the response of the worker, after redirects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture in the store, without the metadata, the size and the animation of the original."""

    digest: str
    """The SHA-256 of its content in hexadecimal, which is a WebP. The store also has its variant `VARIANT`."""
    width: int
    height: int
    """Of the original, in pixels. The stored picture has these proportions."""
    placeholder: str | None
    """A `data:` URL of a tiny image."""


def fetch_picture(url: str, request: Request) -> Picture | None:
    """Fetch and store the picture of a URL; return None if that fails, for whatever reason.

    A picture that no preview refers to within an hour is removed by the sweep.
    """
    settings, run = current_settings(), current_pools().files.run
    try:
        run(make_folder, settings.uploads_path)
        run(check_space, settings, MAX_BYTES)
        if settings.all_files_mb and run(current_store().used_bytes) + MAX_BYTES > settings.all_files_mb * MB:
            return None
        # A folder with this suffix is removed later if a crash has left it.
        with TemporaryDirectory(prefix="picture-", suffix=WORK_SUFFIX, dir=settings.uploads_path) as folder:
            path = Path(folder) / "fetched"
            if "picture" not in request(url, str(path)):
                return None
            found = inspect(path, NAME, Path(folder) / "inspected")
            return _store(found)
    except (ChatError, OSError) as error:
        log.info("picture of a link preview not stored", reason=str(error))
        return None


def _store(found: Inspection) -> Picture | None:
    if found.kind != "image" or not found.variants or found.width is None or found.height is None:
        return None
    if min(found.width, found.height) < MIN_SIDE:
        return None
    # Nobody needs the original, which may have 5 MB: the large thumbnail is the content.
    variants = {VARIANT: found.variants[VARIANT]}
    digest, _ = add_file(found.variants["large"], variants)
    return Picture(digest=digest, width=found.width, height=found.height, placeholder=found.placeholder)
