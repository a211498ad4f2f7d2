"""Names, titles and topics: single lines of text."""

import pytest

from chatapp.errors import Invalid
from chatapp.text import clean_line, escape_controls, fold


def test_white_space_is_collapsed() -> None:
    assert clean_line("  Ana \t de  Á \n", "A name", max_chars=8) == "Ana de Á"


BLANK = ["\u3164", "a\u3164", "a\u2800b", "a\u115f", "a\u034f", "\ufe0f", "\u0301", "\xad"]


@pytest.mark.parametrize("value", ["", " \n ", "a\0", "a\u202eb", "\u200b", "\ud800", "a" * 9, *BLANK], ids=ascii)
def test_an_empty_unprintable_or_long_line_is_refused_with_the_reason(value: str) -> None:
    with pytest.raises(Invalid, match=r"^A name must have 1 to 8 printable characters\.$"):
        clean_line(value, "A name", max_chars=8)


def test_names_of_all_scripts_and_with_emoji_are_accepted() -> None:
    for name in ("Zoë", "नमस्ते", "김민수", "עֲדִי", "❤\ufe0f", "Łukasz", "東京"):
        assert clean_line(name, "A name", max_chars=8) == name


def test_a_line_may_be_optional() -> None:
    assert clean_line(" ", "A topic", min_chars=0, max_chars=8) == ""
    with pytest.raises(Invalid, match=r"^A topic must have at most 8 printable characters\.$"):
        clean_line("x" * 9, "A topic", min_chars=0, max_chars=8)


def test_control_characters_are_escaped_and_other_characters_are_kept() -> None:
    assert (
        escape_controls("a\nb\x1b[31m\x9b\u202e\u2028\ud800\tc") == "a\\nb\\u001b[31m\\u009b\\u202e\\u2028\\ud800\\tc"
    )
    assert escape_controls("Zoë 👩‍👩‍👧 “ñ” \\n") == "Zoë 👩‍👩‍👧 “ñ” \\n"


@pytest.mark.parametrize(
    ("text", "folded"), [("Ana LEE", "ana lee"), ("Ödön Çelik", "odon celik"), ("ﬁn", "fin"), ("陈", "陈")]
)
def test_folded_texts_have_no_case_and_no_accents(text: str, folded: str) -> None:
    assert fold(text) == folded
