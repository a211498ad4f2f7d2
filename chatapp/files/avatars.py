"""Pictures of people, rooms and assistants: small squares that are stored by their digest, as files of messages are."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from chatapp.concurrency.native import current_pools
from chatapp.config import current_settings
from chatapp.errors import Invalid
from chatapp.files.attached import AttachedFile
from chatapp.files.inspection import crop
from chatapp.files.store import FileStore, add_file, current_store
from chatapp.files.upload_folder import WORK_SUFFIX
from chatapp.files.uploads import delete_upload, find_complete, storage_errors, upload_stream

AVATAR_PIXELS = 256
"""The largest avatar has 96 pixels on pages, which are 192 on a screen with a high resolution."""

READ_BYTES = 256 * 1024


def store_avatar_file(user_id: int, name: str, content: BinaryIO) -> str:
    """Store a posted picture like `store_avatar`. Raises what `upload_stream` and `store_avatar` raise."""
    upload = upload_stream(user_id, name, content)
    try:
        return store_avatar(user_id, upload.id)
    finally:
        delete_upload(upload.id)


def store_avatar(user_id: int, upload_id: str) -> str:
    """Store what is shown of a user's complete upload, an image, as an avatar. Return its digest.

    The sweep removes it unless a row refers to it in time. Call it on a green thread. Raises `Invalid` for another kind
    of file, and `InvalidUpload`, `Busy`, `TooComplex`, `StorageFull`, `Unavailable`.
    """
    (file,) = find_complete(user_id, [upload_id], [""])
    if file.kind != "image":
        raise Invalid("This file is not a picture that chatapp can show. Choose a PNG, JPEG, GIF, WebP, AVIF or HEIC.")
    # What a crash leaves there is removed with expired uploads.
    with (
        storage_errors(),
        TemporaryDirectory(dir=current_settings().uploads_path, suffix=WORK_SUFFIX) as folder,
    ):
        thumbnail = Path(folder, "thumbnail")
        current_pools().files.run(_copy, current_store(), file.digest, thumbnail)
        square = crop(thumbnail, Path(folder), AVATAR_PIXELS, owner=user_id)
        digest, _ = add_file(square, {})
    return digest


def avatar_file(digest: str) -> AttachedFile:
    """Return a stored avatar as a file that can be sent."""
    return AttachedFile(digest=digest, name="avatar.webp", media_type="image/webp", kind="image", size=0)


def _copy(store: FileStore, digest: str, target: Path) -> None:
    """Copy the large thumbnail of an image, which may be encrypted."""
    stored = store.open(digest, "large")
    try:
        with target.open("wb") as file:
            for offset in range(0, stored.size, READ_BYTES):
                file.write(stored.read(offset, READ_BYTES))
    finally:
        stored.close()
