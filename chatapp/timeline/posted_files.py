"""The files that a client posts with a message: uploads, which are complete."""

from collections.abc import Sequence
from dataclasses import dataclass

from chatapp.errors import ChatError, Invalid, InvalidUpload
from chatapp.files.attached import AttachedFile
from chatapp.files.uploads import RequestedFile, find_requested, require_complete

_FIELDS = {"upload", "alt"}


@dataclass(frozen=True, slots=True)
class PostedFiles:
    """The files of a message that is being posted."""

    files: tuple[AttachedFile, ...] = ()
    error: ChatError | None = None
    """Why they are not available. The message may be stored already: see `prepare_post`."""
    requested: tuple[RequestedFile, ...] = ()
    """What is known of them then."""

    def may_be(self, files: Sequence[AttachedFile]) -> bool:
        """Return whether these can be the files. If not all are available, only what is known is compared."""
        if self.error is None:
            return self.files == tuple(files)
        return len(files) == len(self.requested) and all(
            requested.may_be(file) for requested, file in zip(self.requested, files, strict=True)
        )


NO_FILES = PostedFiles()


def find_posted_files(user_id: int, value: object) -> PostedFiles:
    """Return the files that a list of `{"upload": id, "alt": text}` names. Waits for a native thread.

    Raises `Invalid` for anything else, and what `find_requested` raises.
    """
    if not value:
        return NO_FILES
    if not isinstance(value, list) or not all(_is_reference(each) for each in value):
        raise Invalid("files must be a list of objects with `upload`, the id of an upload, and an optional text `alt`.")
    requested = find_requested(user_id, [each["upload"] for each in value], [each.get("alt", "") for each in value])
    try:
        return PostedFiles(require_complete(requested))
    except InvalidUpload as error:
        return PostedFiles(error=error, requested=requested)


def _is_reference(value: object) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("upload"), str)
        and isinstance(value.get("alt", ""), str)
        and value.keys() <= _FIELDS
    )
