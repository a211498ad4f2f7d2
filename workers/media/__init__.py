"""Finds out what a file is, removes its metadata and makes thumbnails.

The content decides, never the name. People upload hostile files: each format is decoded by its own decoder only, and
what does not decode is a file that browsers only download.
"""

import json
import resource
from pathlib import Path
from typing import Any

from workers.media.failures import reraise_unless_content
from workers.media.isolation import isolate
from workers.media.sniffing import OTHER, FileType, sniff

MAX_OPEN_FILES = 64

BOX_TYPES = {"video/mp4", "video/quicktime", "audio/mp4"}

MIN_WRITTEN_BYTES = 64 * 1024 * 1024

isolate()
resource.setrlimit(resource.RLIMIT_NOFILE, (MAX_OPEN_FILES, MAX_OPEN_FILES))


def run(path: str, folder: str, may_decode: bool, square: int = 0) -> bytes:  # noqa: FBT001 - arguments are passed by name
    """Return the fields of `chatapp.files.inspection.Inspection` as JSON, with names of files in the folder.

    Without `may_decode` only metadata is removed, which needs little time and memory. With `square` a thumbnail, which
    is a WebP, is cropped to a square with sides of at most so many pixels instead; the only field is its name.
    """
    source, target = Path(path), Path(folder)
    limit = max(MIN_WRITTEN_BYTES, 2 * source.stat().st_size)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    if square:
        from workers.media.images import write_square

        return json.dumps({"content": write_square(source, target, square)}).encode()
    try:
        found = _inspect(source, target, may_decode=may_decode)
    except Exception as error:
        reraise_unless_content(error)
        found = _to_fields(OTHER)
    return json.dumps(found).encode()


def _inspect(source: Path, folder: Path, *, may_decode: bool) -> dict[str, Any]:
    found = sniff(source)
    # Libraries are imported for the kinds that need them: most files are images.
    if found.kind == "image":
        from workers.media.images import inspect_image

        return inspect_image(source, folder, found.media_type, may_decode=may_decode)
    if found.kind == "pdf":
        from workers.media.documents import inspect_pdf

        return _to_fields(found) | (inspect_pdf(source, folder) if may_decode else {})
    if found.media_type in BOX_TYPES:
        from workers.media.metadata import remove_from_boxes

        is_changed = remove_from_boxes(source, folder / "content")
        return _to_fields(found) | ({"content": "content"} if is_changed else {})
    if found.kind == "other" and may_decode:
        from workers.media.documents import inspect_text

        return inspect_text(source) or _to_fields(found)
    return _to_fields(found)


def _to_fields(found: FileType) -> dict[str, Any]:
    return {"kind": found.kind, "media_type": found.media_type}
