"""A conversation as a file to keep: JSON, Markdown or PDF."""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from fpdf import FPDF
from fpdf.enums import WrapMode

from chatapp.timeline import TimelineMessage

FONT = Path(__file__).parents[2] / "static/vendor/DejaVuSans.ttf"
"""Comes by `bin/setup`; it draws the alphabets of Europe and more, and a box for what it has no sign for."""

PDF_CHARACTERS = 300_000
"""What a PDF has at the most: the last messages that fit. The other forms have all."""


def write_json(title: str, messages: Iterable[TimelineMessage]) -> Iterator[str]:
    """Give the conversation as one JSON object, piece by piece."""
    yield f'{{"title": {json.dumps(title, ensure_ascii=False)}, "messages": ['
    for number, message in enumerate(messages):
        said = {
            "seq": message.seq,
            "role": message.sender_type,
            "name": name_sender(message),
            "content": message.content,
            "timestamp": message.created_at.isoformat(),
            "state": message.state,
        }
        yield (",\n" if number else "\n") + json.dumps(said, ensure_ascii=False)
    yield "\n]}\n"


def write_markdown(title: str, messages: Iterable[TimelineMessage]) -> Iterator[str]:
    """Give the conversation as Markdown, piece by piece. What was said stands there as it was written."""
    yield f"# {title}\n"
    for message in messages:
        yield f"\n## {name_sender(message)}, {message.created_at:%Y-%m-%d %H:%M} UTC\n\n{message.content}\n"


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


def name_sender(message: TimelineMessage) -> str:
    """Give the name under which people see who said it."""
    return message.sender.name if message.sender else (message.sender_name or "Former member")


def _write(pdf: FPDF, text: str, size: int, grey: int = 0) -> None:
    pdf.set_font("text", size=size)
    pdf.set_text_color(grey)
    # A line break anywhere: an address may be wider than the page.
    pdf.multi_cell(
        0, size * 0.55, text.replace("\t", "    "), align="L", wrapmode=WrapMode.CHAR, new_x="LMARGIN", new_y="NEXT"
    )
