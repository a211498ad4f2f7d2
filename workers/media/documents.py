"""Documents: the first page of a PDF, and the beginning of a text."""

import codecs
from pathlib import Path
from typing import Any

from workers.media.failures import reraise_unless_content

CHUNK_BYTES = 1024 * 1024

MAX_PREVIEW_LINES = 20
MAX_PREVIEW_CHARS = 1_000

ENCODINGS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
"""Marks at the beginning of a text, and its encoding. A text without a mark is in UTF-8."""


def inspect_pdf(source: Path, folder: Path) -> dict[str, Any]:
    """Return the fields of the first page: its size and its thumbnails. There are none for what cannot be rendered."""
    from workers.media.images import VARIANTS, write_variants

    try:
        import pypdfium2

        with pypdfium2.PdfDocument(source) as document:
            page = document[0]
            scale = VARIANTS["large"] / max(page.get_size())
            image = page.render(scale=scale).to_pil().convert("RGB")
        return {"width": image.width, "height": image.height} | write_variants(image, folder)
    except Exception as error:
        reraise_unless_content(error)
        return {}


def inspect_text(source: Path) -> dict[str, Any] | None:
    """Return the fields of a text, or nothing if the file has NUL, or bytes that are not of its encoding."""
    with source.open("rb") as file:
        head = file.read(CHUNK_BYTES)
        encoding = next((encoding for mark, encoding in ENCODINGS if head.startswith(mark)), "utf-8")
        decoder = codecs.getincrementaldecoder(encoding)()
        preview, chunk = "", head
        try:
            while True:
                text = decoder.decode(chunk, final=not chunk)
                if "\0" in text:
                    return None
                preview = preview or text[: 2 * MAX_PREVIEW_CHARS]
                if not chunk:
                    break
                chunk = file.read(CHUNK_BYTES)
        except UnicodeDecodeError:
            return None
    return {
        "kind": "text",
        "media_type": f"text/plain; charset={encoding}",
        "preview": _preview(preview.removeprefix("\ufeff")),
    }


def _preview(text: str) -> str | None:
    lines = text[:MAX_PREVIEW_CHARS].splitlines()[:MAX_PREVIEW_LINES]
    return "\n".join(lines).rstrip() or None
