"""Writes a conversation as a PDF."""

from collections.abc import Sequence
from pathlib import Path

from fpdf import FPDF
from fpdf.enums import WrapMode

FONT = Path(__file__).parents[1] / "static/vendor/DejaVuSans.ttf"
"""Copied by `bin/setup`. It has the alphabets of Europe and more; other characters become boxes."""

TITLE_POINTS, TEXT_POINTS, SMALL_POINTS = 16, 10, 8
LINE_MM_PER_POINT = 0.55
GREY = 110
BOTTOM_MARGIN_MM = 18


def run(title: str, notes: Sequence[str], messages: Sequence[tuple[str, str, str]]) -> bytes:
    """Return the PDF: a title with notes, and each message with its heading and its note, if it has one."""
    pdf = FPDF(format="A4")
    pdf.set_title(title)
    pdf.set_auto_page_break(True, BOTTOM_MARGIN_MM)
    pdf.add_font("text", fname=FONT)
    pdf.add_page()
    _write(pdf, title, TITLE_POINTS)
    for note in notes:
        _write(pdf, note, SMALL_POINTS, GREY)
    for heading, content, note in messages:
        pdf.ln(4)
        _write(pdf, heading, SMALL_POINTS, GREY)
        _write(pdf, content, TEXT_POINTS)
        if note:
            _write(pdf, note, SMALL_POINTS, GREY)
    return bytes(pdf.output())


def _write(pdf: FPDF, text: str, points: int, grey: int = 0) -> None:
    pdf.set_font("text", size=points)
    pdf.set_text_color(grey)
    # Lines break anywhere: a URL may be wider than the page.
    pdf.multi_cell(
        0,
        points * LINE_MM_PER_POINT,
        text.replace("\t", "    "),
        align="L",
        wrapmode=WrapMode.CHAR,
        new_x="LMARGIN",
        new_y="NEXT",
    )
