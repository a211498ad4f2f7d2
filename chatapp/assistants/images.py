"""The images that a model with `vision` gets: the latest ones of the context, as `data:` URLs."""

import base64
from collections.abc import Iterator, Mapping, Sequence

import structlog

from chatapp.assistants.providers import Turn
from chatapp.concurrency.native import current_pools
from chatapp.encryption.streams import Undecryptable
from chatapp.files.attached import AttachedFile
from chatapp.files.store import FileStore, current_store

log = structlog.get_logger(__name__)

MAX_IMAGES = 4
"""Number of images with one question."""

MAX_IMAGE_BYTES = 2_000_000
"""Size of a thumbnail from which on an image is left out."""

VARIANT = "large"
"""The thumbnail that models get: a WebP of at most 1,600 pixels, without metadata."""

IMAGE_TOKENS = 1_000
"""Tokens that an image counts in an estimate. Each model counts differently."""


def read_images(turns: Sequence[Turn]) -> Mapping[str, str]:
    """Return the `data:` URLs of the latest images of the turns, by their digests. Waits for a native thread."""
    digests = list(dict.fromkeys(image.digest for image in _list_newest_first(turns)))[:MAX_IMAGES]
    contents = {digest: current_pools().files.run(_read, current_store(), digest) for digest in digests}
    return {
        digest: "data:image/webp;base64," + base64.b64encode(content).decode()
        for digest, content in contents.items()
        if content is not None
    }


def _list_newest_first(turns: Sequence[Turn]) -> Iterator[AttachedFile]:
    for turn in reversed(turns):
        yield from turn.images


def _read(store: FileStore, digest: str) -> bytes | None:
    """Return a thumbnail; None if it is too large, or was removed meanwhile."""
    try:
        file = store.open(digest, VARIANT)
        try:
            return file.read(0, file.size) if file.size <= MAX_IMAGE_BYTES else None
        finally:
            file.close()
    except FileNotFoundError:
        return None
    except (OSError, Undecryptable) as error:
        log.warning("image for an assistant cannot be read", digest=digest, reason=str(error))
        return None
