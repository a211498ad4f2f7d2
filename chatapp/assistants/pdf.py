"""A conversation as a PDF to keep."""

from collections.abc import Sequence
from pathlib import Path

from fpdf import FPDF
from fpdf.enums import WrapMode

from chatapp.assistants.export import name_sender
from chatapp.timeline import TimelineMessage

FONT = Path(__file__).parents[2] / "static/vendor/DejaVuSans.ttf"
"""Comes by `bin/setup`; it draws the alphabets of Europe and more, and a box for what it has no sign for."""


def make_pdf(title: str, messages: Sequence[TimelineMessage], *, is_cut: bool = False) -> bytes:
    """Give the conversation as a PDF. Takes its time: for a native thread."""
    pdf = FPDF(format="A4")
    pdf.set_title(title)
    pdf.set_auto_page_break(True, 18)
    pdf.add_font("text", fname=FONT)
    pdf.add_page()
    _write(pdf, title, 16)
    if is_cut:
        _write(pdf, "The last messages; the older ones are in the other forms of this export.", 8, 110)
    for message in messages:
        pdf.ln(4)
        _write(pdf, f"{name_sender(message)} · {message.created_at:%Y-%m-%d %H:%M} UTC", 8, 110)
        _write(pdf, message.content, 10)
    return bytes(pdf.output())


def _write(pdf: FPDF, text: str, size: int, grey: int = 0) -> None:
    pdf.set_font("text", size=size)
    pdf.set_text_color(grey)
    # A line break anywhere: an address may be wider than the page.
    pdf.multi_cell(
        0, size * 0.55, text.replace("\t", "    "), align="L", wrapmode=WrapMode.CHAR, new_x="LMARGIN", new_y="NEXT"
    )
