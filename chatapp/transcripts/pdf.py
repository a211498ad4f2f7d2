"""Export of a conversation as a PDF."""

from collections.abc import Sequence
from pathlib import Path

from fpdf import FPDF
from fpdf.enums import WrapMode

from chatapp.timeline import TimelineMessage
from chatapp.transcripts.export import sender_name

FONT = Path(__file__).parents[2] / "static/vendor/DejaVuSans.ttf"
"""Copied by `bin/setup`. It has the alphabets of Europe and more; other characters become boxes."""

TITLE_POINTS, TEXT_POINTS, SMALL_POINTS = 16, 10, 8
LINE_MM_PER_POINT = 0.55
GREY = 110
BOTTOM_MARGIN_MM = 18


def make_pdf(title: str, messages: Sequence[TimelineMessage], *, is_cut: bool = False) -> bytes:
    """Return the conversation as a PDF. Slow: run it on a native thread."""
    pdf = FPDF(format="A4")
    pdf.set_title(title)
    pdf.set_auto_page_break(True, BOTTOM_MARGIN_MM)
    pdf.add_font("text", fname=FONT)
    pdf.add_page()
    _write(pdf, title, TITLE_POINTS)
    if is_cut:
        _write(pdf, "Latest messages only. The other export formats contain all messages.", SMALL_POINTS, GREY)
    for message in messages:
        pdf.ln(4)
        _write(pdf, f"{sender_name(message)} · {message.created_at:%Y-%m-%d %H:%M} UTC", SMALL_POINTS, GREY)
        _write(pdf, message.content, TEXT_POINTS)
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
