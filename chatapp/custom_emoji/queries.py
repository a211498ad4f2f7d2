"""Queries of custom emoji."""

import re
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from chatapp.errors import NotFound
from chatapp.files.attached import AttachedFile
from chatapp.models import CustomEmoji, User
from chatapp.models.emoji import MAX_NAME_CHARS
from chatapp.storage import ReadStatement

NAME = re.compile(rf"[a-z0-9_+-]{{1,{MAX_NAME_CHARS}}}", re.ASCII)

_EMOJI = CustomEmoji.__table__

_COLUMNS = (_EMOJI.c.name, _EMOJI.c.digest, _EMOJI.c.width, _EMOJI.c.height, _EMOJI.c.is_animated)

_ALL = ReadStatement(select(*_COLUMNS).order_by(_EMOJI.c.name))

_LIST = (
    select(*_COLUMNS, User.username, _EMOJI.c.created_at)
    .outerjoin(User, User.id == _EMOJI.c.created_by)
    .order_by(_EMOJI.c.name)
)

_FIND = ReadStatement(select(_EMOJI.c.name, _EMOJI.c.media_type).where(_EMOJI.c.digest == bindparam("digest")).limit(1))


@dataclass(frozen=True, slots=True)
class EmojiImage:
    """The image of a custom emoji."""

    name: str
    digest: str
    width: int
    height: int
    is_animated: bool

    @property
    def text(self) -> str:
        """What stands for it in texts and reactions: the name between colons."""
        return f":{self.name}:"

    @property
    def url(self) -> str:
        """The path of the image."""
        return f"/emoji/{self.digest}"

    @property
    def still_url(self) -> str:
        """The path of an image that does not move."""
        return f"{self.url}?size=small" if self.is_animated else self.url


@dataclass(frozen=True, slots=True)
class ListedEmoji:
    """A custom emoji, as admins see it."""

    image: EmojiImage
    creator: str | None
    created_at: datetime


def list_images(session: Session) -> tuple[EmojiImage, ...]:
    """Return the images of all custom emoji, by name."""
    return tuple(EmojiImage(*row) for row in _ALL.fetch(session))


def list_emoji(session: Session) -> list[ListedEmoji]:
    """List all custom emoji by name, with the users who have added them."""
    return [ListedEmoji(EmojiImage(*row[:5]), row[5], row[6]) for row in session.execute(_LIST)]


def get_image_file(session: Session, digest: str) -> AttachedFile:
    """Return the file of the image of an emoji. Raises `NotFound`."""
    rows = _FIND.fetch(session, digest=digest)
    if not rows:
        raise _not_found()
    name, media_type = rows[0]
    return _image_file(digest, name, media_type)


def find_named_image(session: Session, name: str) -> AttachedFile:
    """Return the file of the image of the emoji with a name. Raises `NotFound`."""
    emoji = get_emoji(session, name)
    return _image_file(emoji.digest, emoji.name, emoji.media_type)


def get_emoji(session: Session, name: str) -> CustomEmoji:
    """Return the emoji with a name. Raises `NotFound`."""
    emoji = session.get(CustomEmoji, name) if NAME.fullmatch(name) else None
    if emoji is None:
        raise _not_found()
    return emoji


def _not_found() -> NotFound:
    return NotFound("There is no such emoji.")


def _image_file(digest: str, name: str, media_type: str) -> AttachedFile:
    return AttachedFile(digest=digest, name=name, media_type=media_type, kind="image", size=0)
