"""The program of worker processes that writes PDFs."""

import pytest

from workers import pdf


@pytest.mark.parametrize("text", ["日本語 🎉👩‍👩‍👧", "עברית العربية", "\u200b x \x07", "w" * 10_000, "\n\n", "<b>&"])
def test_any_text_can_be_exported_as_pdf(text: str) -> None:
    assert pdf.run(text[:80], [text[:20]], [(text[:20], text, ""), (text[:20], text, text[:20])]).startswith(b"%PDF-")
