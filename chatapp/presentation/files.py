"""Files of messages as pages show them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from chatapp.files.attached import AttachedFile
from chatapp.timeline import TimelineMessage
from chatapp.timeline.references import file_path

MAX_WIDTH = 400
"""Maximum width of a picture in a message, in CSS pixels. The browser's code has the same (core/file_display.js)."""

MAX_HEIGHT = 300

MAX_EXTENSION_CHARS = 5

MAX_PREVIEW_LINES = 7
"""Maximum number of lines of a preview that is not folded."""

MAX_PREVIEW_CHARS = 400
"""Maximum length of a preview that is not folded."""

_LABELS = {"image": "Image", "video": "Video", "audio": "Audio", "pdf": "PDF", "text": "Text", "other": "File"}


KIND_LABELS = {
    "image": "Images",
    "video": "Videos",
    "audio": "Audio",
    "pdf": "PDFs",
    "text": "Text and code",
    "other": "Other files",
}


@dataclass(frozen=True, slots=True)
class ShownFile:
    """A file of a message with its URL. It has none while the message is pending."""

    file: AttachedFile
    url: str | None

    @property
    def label(self) -> str:
        """Its type in a word."""
        _, dot, extension = self.file.name.rpartition(".")
        is_type = dot and len(extension) <= MAX_EXTENSION_CHARS and extension.isascii() and extension.isalnum()
        return extension.upper() if is_type else _LABELS[self.file.kind]

    @property
    def is_picture(self) -> bool:
        """Whether it is shown as a picture, of known size."""
        return self.file.kind == "image" and self.file.has_thumbnails

    @property
    def is_folded(self) -> bool:
        """Whether the preview of a text is folded."""
        preview = self.file.preview or ""
        return preview.rstrip().count("\n") >= MAX_PREVIEW_LINES or len(preview) > MAX_PREVIEW_CHARS

    @property
    def shown_size(self) -> tuple[int, int]:
        """Return the width and height of the picture in a message."""
        width, height = self.file.width or 1, self.file.height or 1
        scale = min(1, MAX_WIDTH / width, MAX_HEIGHT / height)
        return max(1, round(width * scale)), max(1, round(height * scale))


def show_file(file: AttachedFile, conversation: str | None) -> ShownFile:
    """Return a file of a conversation. One without has no URL."""
    return ShownFile(file, None if conversation is None else file_path(conversation, file.digest, file.name))


def list_shown(message: TimelineMessage) -> Sequence[ShownFile]:
    """Return the files of a message, pictures first."""
    wire_name = None if message.is_pending else message.conversation.wire_name
    return sort_shown(show_file(file, wire_name) for file in message.files)


def sort_shown(files: Iterable[ShownFile]) -> Sequence[ShownFile]:
    """Return the files of a message in the order of pages: pictures first."""
    return sorted(files, key=lambda each: not each.is_picture)
