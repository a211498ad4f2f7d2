"""Types of files by their content."""

import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from workers.media.boxes import has_track, list_boxes

HEAD_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class FileType:
    """How a file is shown, and its media type."""

    kind: str
    media_type: str


OTHER = FileType("other", "application/octet-stream")

SIGNATURES = [
    (re.compile(pattern, re.DOTALL), FileType(*found))
    for pattern, found in [
        (rb"\x89PNG\r\n\x1a\n", ("image", "image/png")),
        (rb"\xff\xd8\xff", ("image", "image/jpeg")),
        (rb"GIF8[79]a", ("image", "image/gif")),
        (rb"RIFF....WEBP", ("image", "image/webp")),
        # The size of the header, as text may begin with “BM”.
        (rb"BM.{12}[\x0c\x28\x40\x6c\x7c]\x00\x00\x00", ("image", "image/bmp")),
        (rb"%PDF-\d", ("pdf", "application/pdf")),
        (rb"RIFF....WAVE", ("audio", "audio/wav")),
        (rb"fLaC\x00\x00\x00\x22", ("audio", "audio/flac")),
        (rb"ID3[\x02-\x04]\x00", ("audio", "audio/mpeg")),
        # The first page of Ogg names the codec.
        (rb"OggS\x00\x02.{20}\x01.(?:OpusHead|\x01vorbis|\x7fFLAC)", ("audio", "audio/ogg")),
        (rb"OggS\x00\x02.{20}\x01.\x80theora", ("video", "video/ogg")),
    ]
]

MP3_FRAME = re.compile(rb"\xff[\xfa\xfb]")
MP3_BITRATES = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
MP3_SAMPLE_RATES = (44_100, 48_000, 32_000)

MATROSKA = b"\x1a\x45\xdf\xa3"

HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"}
AVIF_BRANDS = {b"avif", b"avis"}
VIDEO_BRANDS = {b"isom", b"iso2", b"iso4", b"iso5", b"iso6", b"mp41", b"mp42", b"avc1", b"M4V ", b"M4A ", b"dash"}
QUICKTIME_BRAND = b"qt  "

HARMLESS_TYPES = {
    "application/gzip", "application/x-7z-compressed", "application/x-bzip2", "application/x-tar", "application/x-xz",
    "application/zip", "application/zstd",
}  # fmt: skip
"""Media types that downloads have. Browsers never show them."""


def sniff(path: Path) -> FileType:
    """Return the type of a file, or `OTHER`, which may be a text."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    for pattern, found in SIGNATURES:
        if pattern.match(head):
            return found
    if head[4:8] == b"ftyp":
        return _sniff_boxes(path, head)
    if head.startswith(MATROSKA):
        return _sniff_matroska(head)
    if _is_mp3(head):
        return FileType("audio", "audio/mpeg")
    return _sniff_harmless(head)


def _sniff_boxes(path: Path, head: bytes) -> FileType:
    """Return the type of a file in ISO's base media file format."""
    size = int.from_bytes(head[:4])
    major = head[8:12]
    brands = {major, *(head[start : start + 4] for start in range(16, min(size, 256), 4))}
    if brands & AVIF_BRANDS:
        return FileType("image", "image/avif")
    if brands & HEIF_BRANDS:
        return FileType("image", "image/heif")
    if not brands & (VIDEO_BRANDS | {QUICKTIME_BRAND}):
        return OTHER
    with path.open("rb") as file, suppress(ValueError):
        boxes = list_boxes(file, 0, path.stat().st_size)
        if has_track(file, boxes, b"vide"):
            return FileType("video", "video/quicktime" if major == QUICKTIME_BRAND else "video/mp4")
        if has_track(file, boxes, b"soun"):
            return FileType("audio", "audio/mp4")
    return OTHER


def _sniff_matroska(head: bytes) -> FileType:
    if b"\x42\x82\x84webm" not in head[:64]:
        return OTHER
    # A recorded voice message is a WebM file without a video track.
    has_video = re.search(rb"\x86.V_(?:VP8|VP9|AV1)", head, re.DOTALL)
    has_audio = re.search(rb"\x86.A_(?:OPUS|VORBIS)", head, re.DOTALL)
    return FileType("audio", "audio/webm") if has_audio and not has_video else FileType("video", "video/webm")


def _is_mp3(head: bytes) -> bool:
    """Return whether two frames of an MP3 follow each other. One alone is too short to know."""
    if not MP3_FRAME.match(head) or len(head) < 4:
        return False
    bitrate, rate, padding = head[2] >> 4, head[2] >> 2 & 3, head[2] >> 1 & 1
    if not 0 < bitrate < 15 or rate == 3:
        return False
    size = 144_000 * MP3_BITRATES[bitrate] // MP3_SAMPLE_RATES[rate] + padding
    return bool(MP3_FRAME.match(head, size))


def _sniff_harmless(head: bytes) -> FileType:
    import puremagic

    with suppress(puremagic.PureError, ValueError):  # Nothing matches, or the file is empty.
        matches = {match.mime_type for match in puremagic.magic_string(head)} & HARMLESS_TYPES
        return FileType("other", matches.pop()) if len(matches) == 1 else OTHER
    return OTHER
