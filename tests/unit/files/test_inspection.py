"""What files are found to be, and what is stored of them: by real worker processes."""

import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from chatapp.concurrency.worker_processes import WorkerPool
from chatapp.errors import Busy, Internal
from chatapp.files import inspection
from chatapp.files.inspection import Inspection, inspect
from tests.harness import media
from tests.harness.media import SECRET, draw, encode, new_exif
from tests.harness.waiting import eventually, scaled

Inspect = Callable[..., Inspection]


@pytest.fixture(scope="module", autouse=True)
def _end_processes() -> Iterator[None]:
    yield
    inspection._pool.close()


@pytest.fixture
def inspected(tmp_path: Path) -> Inspect:
    def inspect_content(content: bytes, name: str = "file") -> Inspection:
        path = tmp_path / "upload"
        path.write_bytes(content)
        return inspect(path, name, tmp_path / "inspected")

    return inspect_content


@pytest.fixture
def new_pool(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., WorkerPool]]:
    pools: list[WorkerPool] = []

    def create(**limits: Any) -> WorkerPool:
        defaults = {"processes": 1, "max_queued": 1, "memory_mb": 1_024, "timeout_seconds": scaled(30)}
        pools.append(WorkerPool("media", **defaults | limits))
        monkeypatch.setattr(inspection, "_pool", pools[-1])
        return pools[-1]

    yield create
    for pool in pools:
        pool.close()


def open_image(content: bytes | Path) -> Image.Image:
    with Image.open(BytesIO(content) if isinstance(content, bytes) else content) as image:
        image.load()
        return image


def count_frames(content: bytes | Path) -> int:
    with Image.open(BytesIO(content) if isinstance(content, bytes) else content) as image:
        return getattr(image, "n_frames", 1)


def has_red_at(image: Image.Image, horizontal: float, vertical: float) -> bool:
    red, _, blue = image.convert("RGB").getpixel((int(image.width * horizontal), int(image.height * vertical)))  # type: ignore[misc]
    return red > 200 and blue < 60


def assert_other(found: Inspection) -> None:
    assert (found.kind, found.media_type) == ("other", "application/octet-stream")
    assert not found.variants
    assert (found.width, found.placeholder, found.preview) == (None, None, None)


# What each kind becomes


@pytest.mark.parametrize("name", media.FORMATS)
def test_an_image_of_each_format_has_its_size_two_thumbnails_and_a_placeholder(inspected: Inspect, name: str):
    found = inspected(encode(draw(2_000, 1_000), name), f"photo.{name.lower()}")
    assert (found.kind, found.media_type) == ("image", media.MEDIA_TYPES[name])
    assert (found.width, found.height, found.is_animated) == (2_000, 1_000, False)
    large, small = open_image(found.variants["large"]), open_image(found.variants["small"])
    assert (large.format, large.size) == ("WEBP", (1_600, 800))
    assert (small.format, small.size) == ("WEBP", (480, 240))
    assert has_red_at(large, 0.1, 0.1)
    assert not has_red_at(large, 0.9, 0.9)
    assert found.placeholder is not None
    assert found.placeholder.startswith("data:image/webp;base64,")
    assert len(found.placeholder) <= 2_000


def test_a_small_image_is_not_enlarged(inspected: Inspect):
    found = inspected(encode(draw(20, 10), "PNG"))
    assert {open_image(path).size for path in found.variants.values()} == {(20, 10)}


@pytest.mark.parametrize(("width", "height"), [(1, 1), (10_000, 1), (1, 10_000)])
def test_an_image_of_any_shape_has_thumbnails(inspected: Inspect, width: int, height: int):
    found = inspected(encode(draw(width, height), "PNG"))
    assert (found.width, found.height) == (width, height)
    assert max(open_image(found.variants["large"]).size) == min(1_600, max(width, height))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16", "CMYK"])
def test_an_image_of_each_colour_model_has_thumbnails(inspected: Inspect, mode: str):
    image = draw(mode="L").convert("I;16") if mode == "I;16" else draw(mode=mode)
    found = inspected(encode(image, "JPEG" if mode == "CMYK" else "PNG"))
    assert open_image(found.variants["small"]).size == (60, 40)


def test_a_thumbnail_stays_transparent(inspected: Inspect):
    found = inspected(encode(Image.new("RGBA", (50, 50), (0, 0, 0, 0)), "PNG"))
    assert open_image(found.variants["small"]).getpixel((25, 25)) == (0, 0, 0, 0)


@pytest.mark.parametrize("name", ["GIF", "WEBP", "PNG", "AVIF"])
def test_an_animation_moves_and_its_thumbnail_is_the_first_frame(inspected: Inspect, name: str):
    content = media.encode_animation(name)
    found = inspected(content)
    assert (found.kind, found.is_animated) == ("image", True)
    assert count_frames(found.content) == 3
    thumbnail = open_image(found.variants["small"])
    assert count_frames(found.variants["small"]) == 1
    assert has_red_at(thumbnail, 0.1, 0.1)


def test_a_pdf_shows_its_first_page(inspected: Inspect):
    found = inspected(media.pdf(), "paper.pdf")
    assert (found.kind, found.media_type, found.name) == ("pdf", "application/pdf", "paper.pdf")
    assert (found.width, found.height) == (1_600, 1_067)
    assert has_red_at(open_image(found.variants["small"]), 0.5, 0.5)


@pytest.mark.parametrize("content", [b"%PDF-1.7\nno more", media.pdf(is_encrypted=True)])
def test_a_pdf_that_is_broken_or_has_a_password_is_a_pdf_without_a_page(inspected: Inspect, content: bytes):
    found = inspected(content)
    assert (found.kind, dict(found.variants), found.width) == ("pdf", {}, None)


@pytest.mark.parametrize(
    ("content", "kind", "media_type"),
    [
        (media.mp4(), "video", "video/mp4"),
        (media.mp4(brand=b"qt  "), "video", "video/quicktime"),
        (media.mp4(b"soun", b"M4A "), "audio", "audio/mp4"),
        (b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\x82\x84webm....\x86\x85V_VP9", "video", "video/webm"),
        (b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\x82\x84webm....\x86\x86A_OPUS", "audio", "audio/webm"),
        (b"OggS\x00\x02" + bytes(20) + b"\x01\x13OpusHead" + bytes(9), "audio", "audio/ogg"),
        (b"OggS\x00\x02" + bytes(20) + b"\x01\x1e\x01vorbis" + bytes(9), "audio", "audio/ogg"),
        (b"OggS\x00\x02" + bytes(20) + b"\x01\x2a\x80theora" + bytes(9), "video", "video/ogg"),
        (b"ID3\x04\x00\x00\x00\x00\x00\x00", "audio", "audio/mpeg"),
        ((b"\xff\xfb\x90\x00" + bytes(413)) * 2, "audio", "audio/mpeg"),
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", "audio", "audio/wav"),
        (b"fLaC\x00\x00\x00\x22" + bytes(34), "audio", "audio/flac"),
    ],
)
def test_audio_and_video_are_known_by_their_content(inspected: Inspect, content: bytes, kind: str, media_type: str):
    found = inspected(content, "name.txt")
    assert (found.kind, found.media_type, found.name) == (kind, media_type, "name.txt")


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (b"print('Hi')\n", "text/plain; charset=utf-8"),
        ("Grüße".encode("utf-8-sig"), "text/plain; charset=utf-8"),
        ("Grüße".encode("utf-16"), "text/plain; charset=utf-16"),
        (b"", "text/plain; charset=utf-8"),
    ],
)
def test_a_text_is_known_by_its_encoding(inspected: Inspect, content: bytes, media_type: str):
    found = inspected(content, "notes")
    assert (found.kind, found.media_type) == ("text", media_type)
    assert found.content.read_bytes() == content
    assert found.preview == (content.decode(media_type.partition("=")[2]).strip("\ufeff\n") or None)


def test_a_preview_is_short(inspected: Inspect):
    assert inspected(b"line\n" * 1_000).preview == "\n".join(["line"] * 20)
    assert inspected("é".encode() * 600_000).preview == "é" * 1_000


@pytest.mark.parametrize("content", [b"\0" * 100, b"caf\xe9", b"x" * 2_000_000 + b"\xff", "a\0b".encode("utf-16")])
def test_a_file_that_is_no_text_is_only_downloaded(inspected: Inspect, content: bytes):
    assert_other(inspected(content, "page.html"))


def test_an_archive_has_its_media_type(inspected: Inspect):
    assert inspected(zip_of(b"hello"), "a.zip").media_type == "application/zip"


def zip_of(content: bytes) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("content", content)
    return buffer.getvalue()


# Names


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("photo.png", "photo.jpg"),
        ("page.html", "page.jpg"),
        ("../../../etc/photo.jpg", "photo.jpg"),
        ("photo\u202egpj.exe", "photogpj.jpg"),
        ("x" * 10_000, "x" * 251 + ".jpg"),
    ],
)
def test_an_image_is_named_by_its_content(inspected: Inspect, name: str, shown: str):
    assert inspected(encode(draw(), "JPEG"), name).name == shown


# Metadata


@pytest.mark.parametrize(
    "content",
    [
        media.insert_segments(
            encode(draw(), "JPEG", exif=new_exif(), comment=SECRET, xmp=SECRET),
            media.jpeg_segment(0xED, b"Photoshop 3.0\0" + SECRET),
            media.jpeg_segment(0xE0, b"JFXX\0" + SECRET),
            media.jpeg_segment(0xEB, SECRET),
        )
        + SECRET,
        encode(draw(), "JPEG", exif=new_exif(), progressive=True, restart_marker_blocks=1) + SECRET,
        encode(draw(), "PNG", exif=new_exif(), pnginfo=media.png_texts()) + SECRET,
        encode(draw(), "WEBP", exif=new_exif(), xmp=SECRET) + SECRET,
        encode(draw(), "GIF", comment=SECRET) + SECRET,
        encode(draw(), "AVIF", exif=new_exif(), xmp=SECRET),
        media.encode_animation("GIF", comment=SECRET),
        media.encode_animation("WEBP", exif=new_exif(), xmp=SECRET),
        media.encode_animation("PNG", exif=new_exif(), pnginfo=media.png_texts()),
        media.encode_animation("AVIF", exif=new_exif(), xmp=SECRET),
    ],
    ids=[
        "JPEG",
        "JPEG-progressive",
        "PNG",
        "WEBP",
        "GIF",
        "AVIF",
        *(f"{each}-animated" for each in ["GIF", "WEBP", "PNG", "AVIF"]),
    ],
)
def test_position_camera_and_comments_are_removed_without_loss(inspected: Inspect, content: bytes):
    found = inspected(content)
    stored = found.content.read_bytes()
    assert SECRET in content
    assert SECRET not in stored
    assert b"Compressed" not in stored
    before, after = open_image(content), open_image(stored)
    assert before.tobytes() == after.tobytes()
    assert not after.getexif().get_ifd(0x8825)
    assert count_frames(content) == count_frames(stored)


def test_heic_becomes_jpeg_without_metadata(inspected: Inspect):
    found = inspected(encode(draw(), "HEIF", exif=new_exif(), xmp=SECRET), "IMG_1.HEIC")
    assert (found.media_type, found.name) == ("image/jpeg", "IMG_1.jpg")
    assert SECRET not in found.content.read_bytes()
    assert has_red_at(open_image(found.content), 0.1, 0.1)


@pytest.mark.parametrize("metadata", [media.box(b"udta", SECRET), media.box(b"meta", bytes(4), SECRET)])
def test_the_position_of_a_video_is_removed_and_its_frames_stay_where_they_are(inspected: Inspect, metadata: bytes):
    content = media.mp4(b"vide", b"isom", metadata)
    stored = inspected(content).content.read_bytes()
    assert SECRET not in stored
    assert len(stored) == len(content)
    assert stored.find(b"frames") == content.find(b"frames")


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "AVIF", "HEIF"])
def test_an_image_is_upright(inspected: Inspect, name: str, orientation: int):
    content = encode(draw(), name, exif=new_exif(orientation))
    found = inspected(content)
    expected = (60, 40) if orientation < 5 else (40, 60)
    corner = {
        1: (0.1, 0.1),
        2: (0.9, 0.1),
        3: (0.9, 0.9),
        4: (0.1, 0.9),
        5: (0.1, 0.1),
        6: (0.9, 0.1),
        7: (0.9, 0.9),
        8: (0.1, 0.9),
    }
    assert (found.width, found.height) == expected
    shown = [open_image(path) for path in found.variants.values()]
    if name != "AVIF":  # Browsers turn it by what is no metadata.
        shown.append(open_image(found.content))
        assert 0x0112 not in shown[-1].getexif()
    for image in shown:
        assert image.size == expected
        assert has_red_at(image, *corner[orientation])


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "AVIF", "HEIF"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_a_colour_profile_stays_and_thumbnails_are_in_srgb(inspected: Inspect, name: str, orientation: int):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    found = inspected(encode(draw(), name, icc_profile=profile, exif=new_exif(orientation)))
    assert open_image(found.content).info["icc_profile"] == profile
    assert "icc_profile" not in open_image(found.variants["large"]).info


def test_an_image_without_metadata_is_stored_as_it_is(inspected: Inspect, tmp_path: Path):
    assert inspected(encode(draw(), "PNG")).content == tmp_path / "upload"


# Hostile files


def test_a_decompression_bomb_is_not_decoded(inspected: Inspect, new_pool: Callable[..., WorkerPool]):
    pool = new_pool()
    assert_other(inspected(media.png_bomb(50_000), "bomb.png"))
    assert len(pool.list_idle_pids()) == 1


def test_a_compressed_text_of_gigabytes_in_an_image_is_not_decompressed(inspected: Inspect):
    png, bomb = encode(draw(), "PNG"), media.png_bomb(20_000)
    text = media.png_chunk(b"zTXt", b"a\0\0" + bomb[bomb.index(b"IDAT") + 4 : -16])
    found = inspected(png[:33] + text + png[33:])
    assert found.kind == "image"
    assert found.content.read_bytes() == png


def test_an_archive_in_an_archive_is_not_opened(inspected: Inspect):
    content = b"\0" * 10_000_000
    for _ in range(3):
        content = zip_of(content)
    found = inspected(content)
    assert (found.kind, found.media_type) == ("other", "application/zip")
    assert found.content.read_bytes() == content


def test_an_animation_with_too_many_frames_is_not_shown(inspected: Inspect):
    gif = encode(Image.new("P", (1, 1)), "GIF")
    frame = gif[gif.index(b",") : -1]
    assert_other(inspected(gif[:-1] + frame * 3_000 + b";"))
    assert inspected(gif[:-1] + frame * 10 + b";").kind == "image"


def test_an_animation_with_too_many_pixels_is_not_shown(inspected: Inspect):
    gif = encode(Image.new("P", (5_000, 5_000)), "GIF")
    frame = gif[gif.index(b",") : -1]
    assert_other(inspected(gif[:-1] + frame * 50 + b";"))


def test_a_pdf_that_takes_too_long_is_a_pdf_without_a_page(inspected: Inspect, new_pool: Callable[..., WorkerPool]):
    new_pool(timeout_seconds=scaled(2))
    found = inspected(media.pdf(b"0 0 m 100 100 200 50 300 200 c 9 w S\n" * 3_000_000))
    assert (found.kind, dict(found.variants)) == ("pdf", {})


def test_an_image_that_needs_too_much_memory_loses_its_metadata_nevertheless(
    inspected: Inspect, new_pool: Callable[..., WorkerPool]
):
    new_pool(memory_mb=200)
    found = inspected(encode(draw(6_000, 5_000), "PNG", exif=new_exif(6)))
    assert_other(found)
    assert SECRET not in found.content.read_bytes()


@pytest.mark.parametrize("name", media.FORMATS)
def test_a_truncated_image_is_not_shown(inspected: Inspect, name: str):
    content = encode(Image.effect_noise((300, 200), 100), name)
    for size in (1, 20, len(content) // 2):
        found = inspected(content[:size])
        assert found.kind in {"other", "text"}
        assert not found.variants


@pytest.mark.parametrize("name", ["JPEG", "GIF"])
def test_an_image_that_is_also_a_page_or_a_script_keeps_the_image_only(inspected: Inspect, name: str):
    script = b"<script>alert(document.domain)</script>"
    content = encode(draw(), name, comment=script) + b"<html>" + script
    stored = inspected(content, "page.html").content.read_bytes()
    assert b"script" not in stored
    assert b"html" not in stored
    assert open_image(stored).tobytes() == open_image(content).tobytes()


def test_a_gif_that_is_also_javascript_is_no_script_by_name_or_type(inspected: Inspect):
    gif = encode(Image.new("P", (0x2A2F, 10)), "GIF")
    assert gif.startswith((b"GIF89a/*", b"GIF87a/*"))
    found = inspected(gif + b"*/=1;alert(1)", "run.js")
    assert (found.media_type, found.name) == ("image/gif", "run.gif")
    assert b"alert" not in found.content.read_bytes()


def test_a_pdf_that_is_also_an_archive_is_a_pdf(inspected: Inspect):
    found = inspected(media.pdf() + zip_of(b"x"), "archive.zip")
    assert (found.kind, found.media_type) == ("pdf", "application/pdf")


@pytest.mark.parametrize(
    "content",
    [
        b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
        b"<!doctype html><script>alert(1)</script>",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 1 1\n",
    ],
)
def test_svg_html_and_postscript_are_texts(inspected: Inspect, content: bytes):
    found = inspected(content, "image.png")
    assert (found.kind, found.media_type) == ("text", "text/plain; charset=utf-8")
    assert not found.variants


@pytest.mark.parametrize("name", ["TIFF", "PPM", "TGA", "ICO", "PCX", "JPEG2000"])
def test_other_formats_of_images_are_not_decoded(inspected: Inspect, name: str):
    found = inspected(encode(draw(), name), "image.png")
    assert found.kind == "other"
    assert not found.variants


def test_a_broken_colour_profile_does_no_harm(inspected: Inspect):
    found = inspected(encode(draw(), "PNG", icc_profile=b"no profile" * 20))
    assert has_red_at(open_image(found.variants["small"]), 0.1, 0.1)


VALID = [
    *(encode(draw(), name) for name in media.FORMATS),
    *(encode(draw(), name, exif=new_exif(6)) for name in ("JPEG", "PNG", "WEBP", "AVIF", "HEIF")),
    *(media.encode_animation(name) for name in ("GIF", "WEBP", "PNG", "AVIF")),
    media.pdf(),
    media.mp4(b"vide", b"isom", media.box(b"udta", SECRET)),
]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.sampled_from(VALID),
    changes=st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=4), st.booleans()), max_size=5),
    end=st.floats(0, 2),
)
def test_no_changed_file_raises_an_error(
    inspected: Inspect, content: bytes, changes: list[tuple[float, bytes, bool]], end: float
):
    changed = bytearray(content)
    for place, replacement, is_inserted in changes:
        start = int(place * len(changed))
        changed[start : start + (0 if is_inserted else len(replacement))] = replacement
    found = inspected(bytes(changed[: int(end * len(changed))]))
    assert found.content.exists()
    assert (found.width is None) == (found.height is None) == (not found.variants)
    for path in found.variants.values():
        open_image(path)


# Limits


def test_a_file_is_refused_when_too_many_wait(inspected: Inspect, new_pool: Callable[..., WorkerPool]):
    new_pool(processes=0, max_queued=0)
    with pytest.raises(Busy):
        inspected(b"text")


def test_the_files_of_one_person_do_not_hold_up_those_of_others(tmp_path: Path, new_pool: Callable[..., WorkerPool]):
    new_pool(max_queued=10)
    finished: list[int] = []

    def inspect_as(owner: int, number: int) -> None:
        path = tmp_path / f"{owner}-{number}"
        path.write_bytes(encode(draw(2_000, 2_000), "PNG", exif=new_exif(6)))
        assert inspect(path, "photo.png", tmp_path / f"{path.name}-inspected", owner=owner).kind == "image"
        finished.append(owner)

    with ThreadPoolExecutor(9) as threads:
        calls = [threads.submit(inspect_as, 1, number) for number in range(8)]
        eventually(lambda: 1 in inspection._owners)
        calls.append(threads.submit(inspect_as, 2, 0))
    assert [call.result() for call in calls] == [None] * 9
    assert sorted(finished) == [1] * 8 + [2]
    assert finished[-1] == 1
    assert inspection._owners == {}


def test_an_inspection_does_not_change_the_files_of_an_earlier_one(inspected: Inspect, tmp_path: Path):
    stored = tmp_path / "stored"
    stored.hardlink_to(inspected(encode(draw(), "PNG")).variants["small"])
    before = stored.read_bytes()
    inspected(encode(draw(mode="L"), "PNG"))
    assert stored.read_bytes() == before


def test_a_full_disk_is_an_error_and_no_property_of_the_file(tmp_path: Path):
    path = tmp_path / "upload"
    path.write_bytes(encode(draw(), "PNG"))
    (tmp_path / "inspected" / "small").mkdir(parents=True)  # Nothing can be written there.
    with pytest.raises(Internal):
        inspect(path, "photo.png", tmp_path / "inspected")
