"""Adding and deleting custom emoji."""

import os
from typing import IO

from sqlalchemy import func, select

from chatapp.actors import Actor, require_admin
from chatapp.audit_log import AuditKind, record
from chatapp.custom_emoji.queries import NAME, EmojiImage, get_emoji, list_images
from chatapp.custom_emoji.signals import custom_emoji_changed
from chatapp.errors import Conflict, FileTooLarge, Invalid
from chatapp.files.attached import AttachedFile
from chatapp.files.uploads import delete_upload, upload_stream
from chatapp.markdown.emoji_names import load_emoji
from chatapp.models import CustomEmoji
from chatapp.models.emoji import MAX_NAME_CHARS
from chatapp.revocations import revoke
from chatapp.storage import Transaction, write

MAX_KB = 256

MAX_PIXELS = 1_024
"""Maximum width and height of an image. Browsers decode it at its full size, wherever it is shown."""

MAX_EMOJI = 1_000
"""Maximum number of custom emoji. Each page with a picker gets the list."""

MEDIA_TYPES = frozenset({"image/gif", "image/jpeg", "image/png", "image/webp"})


def check_name(name: str) -> str:
    """Return the name of a new emoji, without colons around it. Raises `Invalid`, and `Conflict` for a standard one."""
    name = name.strip()
    if len(name) > 1 and name[0] == name[-1] == ":":
        name = name[1:-1]
    if not NAME.fullmatch(name):
        raise Invalid(f"A name has 1 to {MAX_NAME_CHARS} characters: lower-case letters, digits, _, + and -.")
    if name in load_emoji():
        raise Conflict(f":{name}: is a standard emoji. Choose another name.")
    return name


def upload_emoji(actor: Actor, name: str, file_name: str, stream: IO[bytes]) -> None:
    """Add an emoji with the image that a form contains. Raises like `add_emoji`, and what `create_upload` raises."""
    check_name(name)
    _check_size(stream.seek(0, os.SEEK_END))
    upload = upload_stream(actor.user_id, file_name, stream)
    try:
        if upload.file is not None:
            add_emoji(actor, name, upload.file)
    finally:
        delete_upload(upload.id)


def add_emoji(actor: Actor, name: str, file: AttachedFile) -> EmojiImage:
    """Add an emoji whose image is stored, and return it.

    Raises `Forbidden`, `Conflict` if the name is taken or there are too many, `Invalid`, and `FileTooLarge`.
    """
    name = check_name(name)
    _check_size(file.size)
    if file.media_type not in MEDIA_TYPES or file.width is None or file.height is None:
        raise Invalid("Choose a PNG, GIF, WebP or JPEG image.")
    width, height = file.width, file.height
    if max(width, height) > MAX_PIXELS:
        raise Invalid(f"The image can have at most {MAX_PIXELS:,} × {MAX_PIXELS:,} pixels.")

    def change(transaction: Transaction) -> None:
        session = transaction.session
        require_admin(session, actor)
        if session.get(CustomEmoji, name) is not None:
            raise Conflict(f"There is an emoji :{name}: already.")
        if session.scalars(select(func.count()).select_from(CustomEmoji)).one() >= MAX_EMOJI:
            raise Conflict(f"There can be at most {MAX_EMOJI:,} custom emoji. Delete some first.")
        session.add(
            CustomEmoji(
                name=name,
                digest=file.digest,
                media_type=file.media_type,
                width=width,
                height=height,
                is_animated=file.is_animated,
                created_by=actor.user_id,
            )
        )
        record(transaction, AuditKind.EMOJI_ADDED, actor, target=f":{name}:")
        _send_changed(transaction)

    write(change)
    return EmojiImage(name, file.digest, width, height, file.is_animated)


def delete_emoji(actor: Actor, name: str) -> None:
    """Delete an emoji. Messages and reactions show its name from now on. Raises `NotFound`, and `Forbidden`."""

    def change(transaction: Transaction) -> None:
        session = transaction.session
        require_admin(session, actor)
        session.delete(get_emoji(session, name))
        record(transaction, AuditKind.EMOJI_DELETED, actor, target=f":{name}:")
        _send_changed(transaction)

    write(change)


def _send_changed(transaction: Transaction) -> None:
    """Send all emoji after the commit. Other processes find the change as they find revocations."""
    transaction.session.flush()
    revoke(transaction, custom_emoji_changed, list_images(transaction.session))


def _check_size(size: int) -> None:
    if size > MAX_KB * 1_024:
        raise FileTooLarge(f"The image of an emoji can have at most {MAX_KB} KB.")
