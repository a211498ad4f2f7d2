"""Previews of links as pages show them."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from chatapp.files.pictures import NAME, VARIANT
from chatapp.presentation import resources
from chatapp.timeline import TimelineMessage
from chatapp.timeline.link_previews import PagePreview
from chatapp.timeline.references import file_path

MAX_WIDTH = 360
"""Maximum width of a picture below the text, in CSS pixels."""

MAX_HEIGHT = 200

MIN_WIDTH = 300
"""Smaller pictures, and those that are not wider than high, are at the side of the text."""

MIN_RATIO = 1.25

SIDE_PIXELS = 72


@dataclass(frozen=True, slots=True)
class ShownPreview:
    """A preview of a link with the URL of its picture's thumbnail."""

    preview: PagePreview
    picture_url: str | None

    @property
    def site(self) -> str:
        """The name of the site, or its host."""
        return self.preview.site or urlsplit(self.preview.url).hostname or ""

    @property
    def is_wide(self) -> bool:
        """Whether the picture is below the text."""
        width, height = self.preview.picture_width or 0, self.preview.picture_height or 0
        return self.picture_url is not None and width >= MIN_WIDTH and width >= MIN_RATIO * height

    @property
    def picture_size(self) -> tuple[int, int]:
        """Return the width and height of the picture in a message."""
        if not self.is_wide:
            return SIDE_PIXELS, SIDE_PIXELS
        width, height = self.preview.picture_width or 1, self.preview.picture_height or 1
        scale = min(1, MAX_WIDTH / width, MAX_HEIGHT / height)
        return max(1, round(width * scale)), max(1, round(height * scale))


def list_previews(message: TimelineMessage) -> Sequence[ShownPreview]:
    """Return the previews of a message."""
    wire_name = message.conversation.wire_name
    return [ShownPreview(preview, _find_thumbnail(preview, wire_name)) for preview in message.previews]


def _find_thumbnail(preview: PagePreview, conversation: str) -> str | None:
    picture = present_picture(preview, conversation)
    return picture and picture["small_url"]


def present_picture(preview: PagePreview, conversation: str) -> resources.PreviewPicture | None:
    """Return the picture of a preview in a conversation as JSON; None if it has none."""
    if preview.picture_digest is None or preview.picture_width is None or preview.picture_height is None:
        return None
    url = file_path(conversation, preview.picture_digest, NAME)
    return {
        "url": url,
        "small_url": f"{url}?size={VARIANT}",
        "alt": preview.picture_alt,
        "width": preview.picture_width,
        "height": preview.picture_height,
    }
