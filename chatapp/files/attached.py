"""Files of messages as immutable values."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

KINDS = ("image", "video", "audio", "pdf", "text", "other")
"""How pages show a file. The content decides, not its name: see `chatapp.files.inspection`."""


DESCRIPTION_CHARS = 300
"""What a file counts in a message, with its URLs, besides the texts of its sender."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachedFile:
    """A file of a message, and what is known of its content."""

    digest: str
    """The SHA-256 of its content in hexadecimal, by which the store finds it."""
    name: str
    media_type: str
    kind: str
    """One of `KINDS`."""
    size: int
    """In bytes."""
    width: int | None = None
    height: int | None = None
    """Of an image, or of the first page of a PDF, in pixels. Such a file has thumbnails."""
    is_animated: bool = False
    placeholder: str | None = None
    """A `data:` URL of a tiny image, shown until a thumbnail is loaded."""
    preview: str | None = None
    """The beginning of a text."""
    alt: str = ""
    """The alternative text, by its sender."""

    @property
    def has_thumbnails(self) -> bool:
        """Whether the store has the variants `small` and `large` of it."""
        return self.width is not None

    @property
    def chars(self) -> int:
        """Return its size in a message in characters, approximately."""
        return (
            DESCRIPTION_CHARS + len(self.name) + len(self.alt) + len(self.preview or "") + len(self.placeholder or "")
        )

    def to_fields(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self)

    def describe(self) -> str:
        """Return name, type, size and alternative text, for texts without pictures."""
        alt = f": {self.alt}" if self.alt else ""
        return f"{self.name} ({self.media_type}, {self.size:,} bytes){alt}"

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> Self:
        """Create it from `to_fields`. Raises `TypeError` for other fields."""
        return cls(**fields)


def describe_files(files: Sequence[AttachedFile]) -> str:
    """Return the name of the only file, or the number of files: what stands for them where a message is one line."""
    return files[0].name if len(files) == 1 else f"{len(files)} files"
