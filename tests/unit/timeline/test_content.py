import pytest

from chatapp.errors import BadCharacters, ChatError, Empty, NotText, TooLong
from chatapp.timeline.content import check_content


@pytest.mark.parametrize(
    ("content", "error"),
    [
        *[(value, NotText) for value in (None, 5, 1.5, True, ["hello"], {"text": "hello"}, b"hello")],
        *[
            (value, Empty)
            for value in ("", " ", "\t\r\n ", "\u00a0\u2003", "\u200b", "\u200b \ufeff\u2060", "\u200d\n")
        ],
        *[(value, BadCharacters) for value in ("\0", "a\0b", "\ud800", "hello \udfff", "\ud83d x")],
        *[(value, TooLong) for value in ("x" * 21, " " * 21, "👍" * 21, "\0" * 21)],
    ],
    ids=ascii,
)
def test_invalid_content_raises_an_error_of_its_own(content: object, error: type[ChatError]) -> None:
    with pytest.raises(error) as raised:
        check_content(content, 20)
    assert type(raised.value) is error
    assert raised.value.message


@pytest.mark.parametrize(
    "content",
    ["x", "0", "👍", "x" * 20, "👍" * 20, "מה", "<b>&amp;</b>", "a\n\nb", "\u200bx"],
)
def test_valid_content_is_unchanged(content: str) -> None:
    assert check_content(content, 20) == content


def test_line_breaks_become_line_feeds_and_trailing_white_space_is_removed() -> None:
    assert check_content("one\r\ntwo\r\n \n", 20) == "one\ntwo"
    assert check_content("\n\n    indented", 20) == "    indented"
    # An HTML form submits two characters for each line break; they count as one.
    assert check_content("x\r\n" * 9 + "xx", 20) == "x\n" * 9 + "xx"
