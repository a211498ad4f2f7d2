"""The files that a client posts with a message: uploads, which are complete."""

from dataclasses import dataclass

from chatapp.errors import ChatError, Invalid, InvalidUpload
from chatapp.files.attached import AttachedFile
from chatapp.files.uploads import find_complete

_FIELDS = {"upload", "alt"}


@dataclass(frozen=True, slots=True)
class PostedFiles:
    """The files of a message that is being posted."""

    files: tuple[AttachedFile, ...] = ()
    error: ChatError | None = None
    """Why they are not available. The message may be stored already: see `prepare_post`."""


NO_FILES = PostedFiles()


def find_posted_files(user_id: int, value: object) -> PostedFiles:
    """Return the files that a list of `{"upload": id, "alt": text}` names. Waits for a native thread.

    Raises `Invalid` for anything else, and what `find_complete` raises, except `InvalidUpload`.
    """
    if not value:
        return NO_FILES
    if not isinstance(value, list) or not all(_is_reference(each) for each in value):
        raise Invalid("files must be a list of objects with `upload`, the id of an upload, and an optional text `alt`.")
    try:
        return PostedFiles(
            find_complete(user_id, [each["upload"] for each in value], [each.get("alt", "") for each in value])
        )
    except InvalidUpload as error:
        return PostedFiles(error=error)


def _is_reference(value: object) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("upload"), str)
        and isinstance(value.get("alt", ""), str)
        and value.keys() <= _FIELDS
    )
