"""The columns that refer to stored files, which are listed only here.

The sweep keeps what they refer to, the check compares it with the store, and a backup names what is missing.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import InstrumentedAttribute

from chatapp.models.accounts import User
from chatapp.models.conversations import Conversation
from chatapp.models.emoji import CustomEmoji
from chatapp.models.files import THUMBNAILS, Attachment, LinkPreview, ScheduledFile


@dataclass(frozen=True, slots=True)
class FileReference:
    """A column with digests of stored files."""

    digest: InstrumentedAttribute[Any]
    description: str
    """What such a file is, for admins. `{}` stands for the value of `name`."""
    name: InstrumentedAttribute[Any] | None = None
    thumbnails: tuple[str, ...] = ()
    """The variants that the store has of it, too."""
    width: InstrumentedAttribute[Any] | None = None
    """If there is such a column, only files with a width have thumbnails."""


FILE_REFERENCES = (
    FileReference(User.avatar_digest, "the picture of a person"),
    FileReference(Conversation.avatar_digest, "the picture of a room or an assistant"),
    # Before those of messages: one that is sent while they are read is then in one of both, at least.
    FileReference(
        ScheduledFile.digest,
        "the file “{}” of a scheduled message",
        ScheduledFile.name,
        THUMBNAILS,
        ScheduledFile.width,
    ),
    FileReference(Attachment.digest, "the file “{}”", Attachment.name, THUMBNAILS, Attachment.width),
    FileReference(LinkPreview.picture_digest, "the picture of the preview of {}", LinkPreview.url, ("small",)),
    FileReference(CustomEmoji.digest, "the image of the emoji :{}:", CustomEmoji.name, THUMBNAILS),
)
