"""Boxes of ISO's base media file format (ISO/IEC 14496-12): MP4, QuickTime, AVIF and HEIF."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

MAX_BOXES = 10_000

MAX_META_BYTES = 16 * 1024 * 1024

METADATA_ITEMS = {b"Exif", b"mime", b"uri "}


@dataclass(frozen=True, slots=True)
class Box:
    """A box: its type, and where it, its content and the next one begin."""

    type: bytes
    start: int
    body: int
    end: int


def list_boxes(file: BinaryIO, start: int, end: int) -> list[Box]:
    """Return the boxes between two positions. Raises `ValueError` if they do not fit there, or are too many."""
    boxes: list[Box] = []
    while start < end:
        file.seek(start)
        header = file.read(16)
        size, body = int.from_bytes(header[:4]), start + 8
        if size == 1:
            size, body = int.from_bytes(header[8:16]), start + 16
        elif size == 0:
            size = end - start
        if start + size > end or start + size < body or len(boxes) >= MAX_BOXES:
            raise ValueError("not a list of boxes")
        boxes.append(Box(header[4:8], start, body, start + size))
        start += size
    return boxes


def has_track(file: BinaryIO, boxes: Sequence[Box], handler: bytes) -> bool:
    """Return whether a movie among the boxes has a track of this kind: `vide` or `soun`."""
    return any(
        _read(file, box.body + 8, 4) == handler for box in _descend(file, boxes, b"moov", b"trak", b"mdia", b"hdlr")
    )


def _descend(file: BinaryIO, boxes: Sequence[Box], kind: bytes, *kinds: bytes) -> Iterator[Box]:
    for box in boxes:
        if box.type == kind:
            if kinds:
                yield from _descend(file, list_boxes(file, box.body, box.end), *kinds)
            else:
                yield box


def _read(file: BinaryIO, start: int, size: int) -> bytes:
    file.seek(start)
    return file.read(size)


@dataclass(frozen=True, slots=True)
class MetadataItem:
    """Metadata of an image: where its type is, and which parts of the file it has."""

    type_start: int
    extents: list[tuple[int, int]]


def list_metadata_items(file: BinaryIO, meta: Box) -> list[MetadataItem]:
    """Return the items of an image's `meta` box that are Exif or XMP. Raises `ValueError` for a broken structure."""
    if meta.end - meta.body > MAX_META_BYTES:
        raise ValueError("too large")
    boxes = {box.type: box for box in list_boxes(file, meta.body + 4, meta.end)}
    if b"iinf" not in boxes or b"iloc" not in boxes:
        return []
    types = dict(_list_item_types(file, boxes[b"iinf"]))
    idat = boxes.get(b"idat")
    extents = _list_item_extents(file, boxes[b"iloc"], idat.body if idat else 0)
    return [MetadataItem(start, extents.get(item, [])) for item, start in types.items()]


def _list_item_types(file: BinaryIO, iinf: Box) -> Iterator[tuple[int, int]]:
    version = _read(file, iinf.body, 1)[0]
    for box in list_boxes(file, iinf.body + (6 if version == 0 else 8), iinf.end):
        id_bytes = 4 if _read(file, box.body, 1) == b"\x03" else 2
        start = box.body + 4 + id_bytes + 2
        if _read(file, start, 4) in METADATA_ITEMS:
            yield int.from_bytes(_read(file, box.body + 4, id_bytes)), start


def _list_item_extents(file: BinaryIO, iloc: Box, idat: int) -> dict[int, list[tuple[int, int]]]:
    numbers = _Numbers(_read(file, iloc.body, iloc.end - iloc.body))
    version = numbers.next(1)
    numbers.next(3)
    sizes, more_sizes = numbers.next(1), numbers.next(1)
    id_bytes = 2 if version < 2 else 4
    extents = {}
    for _ in range(numbers.next(id_bytes)):
        item = numbers.next(id_bytes)
        is_in_idat = version > 0 and numbers.next(2) & 0xF == 1
        numbers.next(2)
        base = numbers.next(more_sizes >> 4) + (idat if is_in_idat else 0)
        extents[item] = [
            (base + offset, base + offset + length)
            for _, offset, length in (
                (numbers.next(more_sizes & 0xF if version else 0), numbers.next(sizes >> 4), numbers.next(sizes & 0xF))
                for _ in range(numbers.next(2))
            )
        ]
    return extents


class _Numbers:
    """Numbers of some bytes each, one after the other."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._position = 0

    def next(self, size: int) -> int:
        start, self._position = self._position, self._position + size
        if self._position > len(self._content):
            raise ValueError("not that many numbers")
        return int.from_bytes(self._content[start : self._position])
