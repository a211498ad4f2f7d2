"""Removal of metadata without decoding: position, camera, names, comments, previews, and what follows the image.

Each function returns the parts of a file to keep. They keep what they know, not all but what they know: formats have
had new places for metadata again and again. Colour profiles stay.
"""

import mmap
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

from workers.media.boxes import Box, list_boxes, list_metadata_items

Parts = Iterator[bytes | memoryview]

FREE_BOX: Final = b"free"
METADATA_BOXES = {b"meta", b"udta", b"uuid"}
ZEROS = bytes(64 * 1024)

JPEG_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
SOS, EOI, COM = 0xDA, 0xD9, 0xFE
APP_SEGMENTS = range(0xE0, 0xF0)
KEPT_APP_SEGMENTS = ((0xE2, b"ICC_PROFILE\0"), (0xEE, b"Adobe"))
JFIF_BYTES = 16
"""The length of a JFIF segment without a preview."""

PNG_CHUNKS = {
    b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"cHRM", b"gAMA", b"iCCP", b"sBIT", b"sRGB", b"cICP", b"mDCV", b"cLLI",
    b"bKGD", b"pHYs", b"acTL", b"fcTL", b"fdAT",
}  # fmt: skip

WEBP_CHUNKS = {b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP"}
WEBP_METADATA_FLAGS = 0x0C

GIF_IMAGE, GIF_EXTENSION, GIF_END = 0x2C, 0x21, 0x3B
GIF_CONTROL, GIF_APPLICATION = 0xF9, 0xFF
GIF_APPLICATIONS = (b"NETSCAPE2.0", b"ANIMEXTS1.0")


def remove_metadata(source: Path, target: Path, media_type: str) -> bool:
    """Write an image without metadata to `target`. Return whether it differs from `source`.

    Raises `ValueError`, `IndexError` or `struct.error` for a file that has not the structure of its type.
    """
    if media_type in {"image/avif", "image/heif"}:
        return remove_from_boxes(source, target, is_image=True)
    size = source.stat().st_size
    with (
        source.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
        memoryview(mapped) as data,
        target.open("wb") as output,
    ):
        output.writelines(REMOVERS[media_type](mapped, data))
        return output.tell() != size


def _jpeg_parts(mapped: mmap.mmap, data: memoryview) -> Parts:
    yield data[:2]
    position = 2
    while position + 2 <= len(data):
        if data[position] != 0xFF:
            raise ValueError("not a segment")
        marker = data[position + 1]
        if marker == 0xFF:
            position += 1
            continue
        if marker == EOI:
            yield data[position : position + 2]
            break
        end = position + 2 + int.from_bytes(data[position + 2 : position + 4])
        if marker == SOS:
            found = JPEG_MARKER.search(mapped, end)
            end = found.start() if found else len(data)
        if _keeps_segment(marker, data[position + 4 : min(end, position + 18)], end - position - 2):
            yield data[position:end]
        position = end


def _keeps_segment(marker: int, begin: memoryview, size: int) -> bool:
    if marker == 0xE0:
        return bytes(begin[:5]) == b"JFIF\0" and size == JFIF_BYTES
    if marker in APP_SEGMENTS:
        return any(marker == kept and bytes(begin[: len(name)]) == name for kept, name in KEPT_APP_SEGMENTS)
    return marker != COM


def _png_parts(mapped: mmap.mmap, data: memoryview) -> Parts:
    yield data[:8]
    position = 8
    while position < len(mapped):
        kind = mapped[position + 4 : position + 8]
        end = position + 12 + int.from_bytes(data[position : position + 4])
        if kind in PNG_CHUNKS:
            yield data[position:end]
        if kind == b"IEND":
            break
        position = end


def _webp_parts(mapped: mmap.mmap, data: memoryview) -> Parts:
    kept = []
    position, end = 12, min(len(mapped), 8 + int.from_bytes(data[4:8], "little"))
    while position + 8 <= end:
        size = int.from_bytes(data[position + 4 : position + 8], "little")
        if mapped[position : position + 4] in WEBP_CHUNKS:
            kept.append((position, position + 8 + size + size % 2))
        position += 8 + size + size % 2
    yield b"RIFF" + (4 + sum(stop - start for start, stop in kept)).to_bytes(4, "little") + b"WEBP"
    for start, stop in kept:
        if mapped[start : start + 4] == b"VP8X":
            yield data[start : start + 8]
            yield bytes((data[start + 8] & ~WEBP_METADATA_FLAGS,))
            yield data[start + 9 : stop]
        else:
            yield data[start:stop]


def _gif_parts(mapped: mmap.mmap, data: memoryview) -> Parts:
    position = 13 + _color_table_bytes(data[10])
    yield data[:position]
    while position < len(data) and data[position] != GIF_END:
        start = position
        if data[position] == GIF_IMAGE:
            blocks = position + 11 + _color_table_bytes(data[position + 9])
            is_kept = True
        elif data[position] == GIF_EXTENSION:
            blocks = position + 2
            is_application = data[position + 1] == GIF_APPLICATION
            is_kept = data[position + 1] == GIF_CONTROL or (
                is_application and mapped[position + 3 : position + 14] in GIF_APPLICATIONS
            )
        else:
            raise ValueError("not a block")
        position = _end_of_blocks(data, blocks)
        if is_kept:
            yield data[start:position]
    yield data[position : position + 1]


def _color_table_bytes(flags: int) -> int:
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def _end_of_blocks(data: memoryview, position: int) -> int:
    while position < len(data) and data[position]:
        position += data[position] + 1
    return position + 1


def _bmp_parts(_mapped: mmap.mmap, data: memoryview) -> Parts:
    yield data


REMOVERS: dict[str, Callable[[mmap.mmap, memoryview], Parts]] = {
    "image/jpeg": _jpeg_parts,
    "image/png": _png_parts,
    "image/webp": _webp_parts,
    "image/gif": _gif_parts,
    "image/bmp": _bmp_parts,
}


def remove_from_boxes(source: Path, target: Path, *, is_image: bool = False) -> bool:
    """Overwrite the metadata of a video, AVIF or HEIF in a copy, so that all positions stay valid.

    Returns whether there was any. Raises `ValueError` for a broken structure.
    """
    size = source.stat().st_size
    with source.open("rb") as file:
        boxes = list_boxes(file, 0, size)
        freed = [box for box in _descend(file, boxes) if box.type in METADATA_BOXES]
        freed = [box for box in freed if not (is_image and box in boxes and box.type == b"meta")]
        types = [box.start + 4 for box in freed]
        extents = [(box.body, box.end) for box in freed]
        for box in boxes if is_image else ():
            if box.type == b"meta":
                for metadata in list_metadata_items(file, box):
                    types.append(metadata.type_start)
                    extents.extend(metadata.extents)
    if not types:
        return False
    shutil.copyfile(source, target)
    with target.open("r+b") as file:
        for start in types:
            file.seek(start)
            file.write(FREE_BOX)
        for start, end in extents:
            file.seek(start)
            for position in range(start, min(end, size), len(ZEROS)):
                file.write(ZEROS[: min(end, size) - position])
    return True


def _descend(file: BinaryIO, boxes: Iterable[Box]) -> Iterator[Box]:
    for box in boxes:
        yield box
        if box.type in {b"moov", b"trak"}:
            yield from _descend(file, list_boxes(file, box.body, box.end))
