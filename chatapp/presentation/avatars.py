"""The form for pictures of people, rooms and assistants, and the paths of these pictures."""

from typing import Any

from flask_wtf.file import FileField

from chatapp.errors import Archived, ChatError, Invalid, TooComplex
from chatapp.files.avatars import store_avatar_file
from chatapp.files.uploads import UPLOAD_ERRORS
from chatapp.presentation.forms import Form

AVATAR_ERRORS: tuple[type[ChatError], ...] = (*UPLOAD_ERRORS, Archived, TooComplex)
"""Errors that the form shows besides those of other forms."""

MAX_PICTURE_BYTES = 9_900_000
"""Maximum size of a picture, so that the whole form has at most `MAX_FILE_FORM_BYTES`."""

PICTURE_TYPES = "image/png,image/jpeg,image/gif,image/webp,image/avif,image/heic,image/heif"


class AvatarForm(Form):
    """A picture."""

    picture = FileField(
        "Picture",
        description="It is cropped to a square.",
        render_kw={"accept": PICTURE_TYPES, "required": True, "data-max-bytes": MAX_PICTURE_BYTES},
    )

    def store(self, user_id: int) -> str:
        """Store the posted picture, and return its digest. Raises `Invalid`, and `AVATAR_ERRORS`."""
        posted: Any = self.picture.data
        if not posted:
            raise Invalid("Choose a picture.")
        return store_avatar_file(user_id, posted.filename or "", posted.stream)


def person_avatar_path(digest: str | None) -> str | None:
    """Return the path of a person's picture; None if there is none."""
    return digest and f"/avatars/{digest}"


def conversation_avatar_path(wire_name: str, digest: str | None) -> str | None:
    """Return the path of the picture of a room or an assistant; None if there is none."""
    return digest and f"/conversations/{wire_name}/avatar/{digest}"
