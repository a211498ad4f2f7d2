"""Files for tests, made as they are needed: images of each format, with metadata and without, and documents."""

import struct
import wave
import zlib
from io import BytesIO
from typing import Any

from PIL import Image, PngImagePlugin
from PIL.TiffImagePlugin import IFDRational

SECRET = b"Secret place"
"""In all metadata."""

FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "AVIF", "HEIF", "BMP")

MEDIA_TYPES = {
    "PNG": "image/png",
    "JPEG": "image/jpeg",
    "GIF": "image/gif",
    "WEBP": "image/webp",
    "AVIF": "image/avif",
    "HEIF": "image/jpeg",
    "BMP": "image/png",
}
"""What each format is stored as."""


def draw(width: int = 60, height: int = 40, mode: str = "RGB") -> Image.Image:
    """Return an image whose upper left quarter is red, and the rest blue."""
    image = Image.new("RGB", (width, height), "blue")
    image.paste((255, 0, 0), (0, 0, width // 2, height // 2))
    return image.convert(mode)


def encode(image: Image.Image, name: str, **options: Any) -> bytes:
    """Return an image in a format."""
    if name == "HEIF":
        import pillow_heif

        pillow_heif.register_heif_opener()
        if "exif" in options:
            options["exif"] = options["exif"].tobytes()  # It turns the image as a camera does, only for bytes.
    buffer = BytesIO()
    image.save(buffer, name, **options)
    return buffer.getvalue()


def new_exif(orientation: int = 1) -> Image.Exif:
    """Return metadata with a position and a camera."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = SECRET.decode()
    exif.get_ifd(0x8825).update({1: "N", 2: (IFDRational(48), IFDRational(51), IFDRational(30)), 29: SECRET.decode()})
    return exif


def encode_animation(name: str, frames: int = 3, **options: Any) -> bytes:
    """Return an animation whose first frame is that of `draw`."""
    first, *others = [draw(), *(Image.new("RGB", (60, 40), (100 * each, 255, 0)) for each in range(frames - 1))]
    return encode(first, name, save_all=True, append_images=others, duration=50, **options)


def png_chunk(kind: bytes, content: bytes) -> bytes:
    """Return a chunk of a PNG."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_bomb(side: int) -> bytes:
    """Return a small PNG file with a black square of this many pixels in each direction."""
    compressor = zlib.compressobj(9)
    row = b"\0" * (1 + (side + 7) // 8)
    data = b"".join(compressor.compress(row * 100) for _ in range(side // 100)) + compressor.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", data) + png_chunk(b"IEND", b"")


def png_texts() -> PngImagePlugin.PngInfo:
    """Return metadata of a PNG."""
    info = PngImagePlugin.PngInfo()
    info.add_text("Author", SECRET.decode())
    info.add_itxt("XML:com.adobe.xmp", SECRET.decode())
    info.add_text("Compressed", SECRET.decode() * 10, zip=True)
    info.add(b"prVt", SECRET)
    return info


def jpeg_segment(marker: int, content: bytes) -> bytes:
    """Return a segment of a JPEG."""
    return bytes((0xFF, marker)) + struct.pack(">H", len(content) + 2) + content


def insert_segments(jpeg: bytes, *segments: bytes) -> bytes:
    """Return a JPEG with further segments at its beginning."""
    return jpeg[:2] + b"".join(segments) + jpeg[2:]


def box(kind: bytes, *parts: bytes) -> bytes:
    """Return a box of an MP4."""
    content = b"".join(parts)
    return struct.pack(">I", len(content) + 8) + kind + content


def mp4(handler: bytes = b"vide", brand: bytes = b"isom", *metadata: bytes) -> bytes:
    """Return the structure of an MP4 file, without anything to play."""
    track = box(b"trak", box(b"mdia", box(b"hdlr", bytes(8), handler, bytes(13))), *metadata)
    return box(b"ftyp", brand, bytes(4), brand) + box(b"mdat", b"frames") + box(b"moov", track, *metadata)


def wav(seconds: int) -> bytes:
    """Return silence in stereo, 176,400 bytes for each second."""
    buffer = BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(44_100)
        file.writeframes(bytes(seconds * 176_400))
    return buffer.getvalue()


def pdf(content: bytes = b"1 0 0 rg 0 0 300 200 re f", *, is_encrypted: bool = False) -> bytes:
    """Return a PDF with one page of 300 by 200 points, whose content is compressed."""
    stream = zlib.compress(content, 9)
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 200]/Contents 4 0 R>>",
        b"<</Length %d/Filter/FlateDecode>>stream\n%s\nendstream" % (len(stream), stream),
        b"<</Filter/Standard/V 1/R 2/O(%s)/U(%s)/P -4>>" % (b"o" * 32, b"u" * 32),
    ]
    body, offsets = b"%PDF-1.4\n", []
    for number, each in enumerate(objects, 1):
        offsets.append(len(body))
        body += b"%d 0 obj%s\nendobj\n" % (number, each)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    encrypt = b"/Encrypt 5 0 R/ID[(x)(x)]" if is_encrypted else b""
    trailer = b"trailer<</Size 6/Root 1 0 R%s>>\nstartxref\n%d\n%%%%EOF" % (encrypt, len(body))
    return body + b"xref\n0 6\n0000000000 65535 f \n" + table + trailer
