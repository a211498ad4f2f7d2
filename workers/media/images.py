"""Images: without metadata, upright, with thumbnails and a placeholder."""

import base64
import importlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image, ImageCms, ImageFile, ImageOps

from workers.media.failures import reraise_unless_content
from workers.media.metadata import remove_metadata

MAX_PIXELS = 50_000_000
MAX_SIDE = 65_535
MAX_FRAMES = 2_000
MAX_ANIMATION_PIXELS = 1_000_000_000
"""The sum of all frames, which readers' browsers decode."""

DECODERS = {
    "image/png": ("PNG", "PIL.PngImagePlugin"),
    "image/jpeg": ("JPEG", "PIL.JpegImagePlugin"),
    "image/gif": ("GIF", "PIL.GifImagePlugin"),
    "image/webp": ("WEBP", "PIL.WebPImagePlugin"),
    "image/avif": ("AVIF", "PIL.AvifImagePlugin"),
    "image/heif": ("HEIF", "pillow_heif.as_plugin"),
    "image/bmp": ("BMP", "PIL.BmpImagePlugin"),
}
"""The only decoders, and the modules that have them."""

CONVERTED = {"image/heif": "image/jpeg", "image/bmp": "image/png"}
"""Types that few browsers show, or that are large."""

VARIANTS = {"large": 1_600, "small": 480}
"""Thumbnails, by the square in pixels that they fit in."""

WEBP_QUALITY = 80
JPEG_QUALITY = 92

PLACEHOLDER_PIXELS = 16
MAX_PLACEHOLDER_CHARS = 2_000

ORIENTATION_TAG = 0x0112
ORIENTATIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
QUARTER_TURNS = {ORIENTATIONS[value] for value in range(5, 9)}

Image.MAX_IMAGE_PIXELS = MAX_PIXELS
warnings.simplefilter("error", Image.DecompressionBombWarning)


class TooLarge(ValueError):
    """The image has too many pixels."""


def inspect_image(source: Path, folder: Path, media_type: str, *, may_decode: bool) -> dict[str, Any]:
    """Return the fields of an image, or those of another file if it cannot be decoded."""
    stripped, found = folder / "content", {"kind": "other", "media_type": "application/octet-stream"}
    try:
        is_changed = remove_metadata(source, stripped, media_type)
    except Exception as error:
        reraise_unless_content(error)
        return found
    content = stripped if is_changed else source
    if is_changed:
        found["content"] = stripped.name
    if may_decode:
        try:
            found |= _decode(source, content, folder, media_type)
        except Exception as error:
            reraise_unless_content(error)
    return found


def _decode(source: Path, content: Path, folder: Path, media_type: str) -> dict[str, Any]:
    found: dict[str, Any] = {"kind": "image", "media_type": CONVERTED.get(media_type, media_type)}
    orientation = _read_orientation(source, media_type)
    with _open(content, media_type) as image:
        frames = getattr(image, "n_frames", 1)
        pixels = image.width * image.height
        if max(image.size) > MAX_SIDE or frames > MAX_FRAMES or frames * pixels > MAX_ANIMATION_PIXELS:
            raise TooLarge
        found["is_animated"] = frames > 1
    # An animation stays as it is. Browsers turn an AVIF by itself.
    is_written = media_type in CONVERTED or (
        orientation is not None and not found["is_animated"] and media_type != "image/avif"
    )
    if found["is_animated"] and media_type != "image/avif":
        orientation = None
    if is_written:
        with _open(content, media_type) as image:
            upright = image if orientation is None else image.transpose(orientation)
            upright.load()
            _write(upright, image, folder / "upright", found["media_type"], content)
        found["content"] = "upright"
    with _open(content, media_type) as image:
        size = image.size
        ratio = VARIANTS["large"] / max(size)
        image.draft(None, (max(1, int(size[0] * ratio)), max(1, int(size[1] * ratio))))
        thumbnail = _to_thumbnail(image, orientation)
    found["width"], found["height"] = reversed(size) if orientation in QUARTER_TURNS else size
    return found | write_variants(thumbnail, folder)


def write_variants(image: Image.Image, folder: Path) -> dict[str, Any]:
    """Write the thumbnails of an image in sRGB. Return the fields that name them, and its placeholder."""
    for variant, pixels in VARIANTS.items():
        image.thumbnail((pixels, pixels), Image.Resampling.LANCZOS)
        _save(image, folder / variant, "WEBP", quality=WEBP_QUALITY, method=3)
    image.thumbnail((PLACEHOLDER_PIXELS, PLACEHOLDER_PIXELS))
    buffer = BytesIO()
    image.save(buffer, "WEBP", quality=WEBP_QUALITY // 2)
    placeholder = "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()
    found: dict[str, Any] = {"variants": {variant: variant for variant in VARIANTS}}
    return found | ({"placeholder": placeholder} if len(placeholder) <= MAX_PLACEHOLDER_CHARS else {})


def write_square(source: Path, folder: Path, pixels: int) -> str:
    """Write the middle of a WebP as a square with sides of at most `pixels`, and return the name of the file."""
    with _open(source, "image/webp") as image:
        side = min(pixels, *image.size)
        square = ImageOps.fit(image.convert("RGBA" if image.has_transparency_data else "RGB"), (side, side))
    _save(square, folder / "square", "WEBP", quality=WEBP_QUALITY, method=3)
    return "square"


@contextmanager
def _open(path: Path, media_type: str) -> Iterator[ImageFile.ImageFile]:
    name, module = DECODERS[media_type]
    plugin = importlib.import_module(module)
    if name == "HEIF":
        plugin.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)
    if name == "AVIF":
        vars(plugin)["DEFAULT_MAX_THREADS"] = 1
    # As a file: Pillow would choose a decoder by the suffix of a path.
    with path.open("rb") as file, Image.open(file, formats=[name]) as image:
        yield image


def _read_orientation(source: Path, media_type: str) -> Image.Transpose | None:
    """Return how to turn an image. Metadata that cannot be read has no orientation. A HEIF is turned by its decoder."""
    if media_type == "image/heif":
        return None
    with suppress(Exception), _open(source, media_type) as image:
        return ORIENTATIONS.get(image.getexif().get(ORIENTATION_TAG, 1))
    return None


def _to_thumbnail(image: Image.Image, orientation: Image.Transpose | None) -> Image.Image:
    profile = image.info.get("icc_profile")
    has_alpha = image.has_transparency_data
    mode = image.mode
    if mode.startswith("I;16"):
        image = image.point(lambda value: value / 256).convert("L")
    elif mode not in {"L", "RGB", "RGBA", "CMYK"}:
        image = image.convert("RGBA" if has_alpha else "RGB")
    elif has_alpha and mode != "RGBA":
        image = image.convert("RGBA")
    image.thumbnail((VARIANTS["large"], VARIANTS["large"]), Image.Resampling.LANCZOS, reducing_gap=2.0)
    if orientation is not None:
        image = image.transpose(orientation)
    return _to_srgb(image, profile)


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    mode = "RGBA" if image.mode == "RGBA" else "RGB"
    if profile:
        # A broken profile is no reason to show nothing.
        with suppress(ImageCms.PyCMSError, OSError, ValueError):
            converted = ImageCms.profileToProfile(
                image, ImageCms.ImageCmsProfile(BytesIO(profile)), ImageCms.createProfile("sRGB"), outputMode=mode
            )
            if converted:
                return converted
    return image.convert(mode)


def _write(upright: Image.Image, image: Image.Image, path: Path, media_type: str, content: Path) -> None:
    profile = image.info.get("icc_profile")
    if media_type == "image/jpeg":
        if upright.mode not in {"L", "RGB", "CMYK"}:
            upright = upright.convert("RGB")
        _save(upright, path, "JPEG", quality=JPEG_QUALITY, progressive=True, icc_profile=profile)
    elif media_type == "image/webp":
        with content.open("rb") as file:
            is_lossless = b"VP8L" in file.read(64)
        _save(upright, path, "WEBP", quality=JPEG_QUALITY, lossless=is_lossless, icc_profile=profile)
    else:
        _save(upright, path, "PNG", icc_profile=profile)


def _save(image: Image.Image, path: Path, name: str, **options: Any) -> None:
    # Encoders write some metadata that the decoder has found.
    image.info = {key: value for key, value in image.info.items() if key == "transparency"}
    # Into memory first, so that only a full disk raises an error with a number.
    buffer = BytesIO()
    image.save(buffer, name, **options)
    path.write_bytes(buffer.getbuffer())
